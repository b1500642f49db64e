import pytest

from zhuji.core.records import Record
from zhuji.tasks.translate import Translate
from zhuji.training import dictionary
from zhuji.training.dictionary import copies, learned, word_by_word

PAIRS = [
    ("the house", "das Haus"),
    ("the book", "das Buch"),
    ("a book", "ein Buch"),
    ("a dog", "ein Hund"),
    ("the dog", "der Hund"),
]
TRAIN = [Record(str(i), a, target=b) for i, (a, b) in enumerate(PAIRS)]


def test_the_textbook_example():
    """Koehn 2010, section 4.2: words that stand together again and again find each other."""
    known = learned([(a.split(), b.split()) for a, b in PAIRS], rounds=20)
    assert {word: known[word] for word in ("house", "book", "dog", "a")} == {
        "house": "Haus",
        "book": "Buch",
        "dog": "Hund",
        "a": "ein",
    }


def test_one_round_is_the_formula():
    """t(f|e) after one round from uniform chances, by hand: each word of the target shares one count among the source words."""
    pairs = [(["x", "y"], ["p"]), (["x"], ["q"])]
    # Of p: a third each for "", x and y; of q: a half each for "" and x. So "" and x prefer q, and y knows p only.
    assert learned(pairs, rounds=1) == {"x": "q", "y": "p"}


def test_unknown_words_stay_and_order_too():
    test = [Record("9", "a house , Zoe !", target="")]
    assert word_by_word(Translate(), TRAIN, test) == ["ein Haus , Zoe !"]
    assert copies(Translate(), TRAIN, test) == ["a house , Zoe !"]


def test_chinese_is_written_without_blanks():
    train = [Record(str(i), a, target=b) for i, (a, b) in enumerate([("dog", "狗"), ("big dog", "大狗"), ("big", "大")] * 3)]
    assert word_by_word(Translate(), train, [Record("9", "big dog", target="")]) == ["大狗"]


def test_of_many_pairs_it_reads_some_of_every_part(monkeypatch):
    """A file in order of origin: with the first pairs alone, the words of the last origin would stay unknown."""
    monkeypatch.setattr(dictionary, "PAIRS", 4)
    train = [Record(str(i), word, target=word.upper()) for i, word in enumerate(["a"] * 6 + ["z"] * 2)]
    assert word_by_word(Translate(), train, [Record("9", "a z", target="")]) == ["A Z"]


@pytest.mark.parametrize("pairs", [[], [((), ())], [(("a",), ())]])
def test_nothing_to_learn_from(pairs):
    assert learned(pairs) == {}
