from itertools import pairwise

import pytest

from zhuji.data.transcripts import Alphabet, normal

TEXTS = ["the agent is logged on", "that agent is already logged off", "login incorrect", "the pound key"]


@pytest.mark.parametrize("text, told", [
    ("That agent is already logged on.  Please, enter!", "that agent is already logged on please enter"),
    ("Don’t 'quote' the rock-'n'-roll", "don't quote the rock n roll"),
    ("ＡＢＣ １２３", "abc 123"),
    ("筑基，从头开始。", "筑基 从头开始"),
    ("  ", ""),
    ("naïve café", "naïve café"),
    ("twenty-one", "twenty one"),
    ("ㄅㄚˊ，ㄇㄚ˙！", "ㄅㄚˊ ㄇㄚ˙"),
    ("˙ㄇㄚ ㄧˇ", "˙ㄇㄚ ㄧˇ"),
])  # fmt: skip
def test_a_transcript_as_it_is_scored(text, told):
    assert normal(text) == told == normal(told)


def test_a_neutral_tone_is_part_of_its_syllable():
    """NFKC makes a blank and a bare dot of it, which would be a word more."""
    alphabet = Alphabet.of_characters([normal("ㄅㄚ˙")])
    assert alphabet.letters == ("˙", "ㄅ", "ㄚ") and normal("ㄅㄚ˙", punctuation="keep") == "ㄅㄚ˙"
    assert normal("a˙") != "a˙", "it is a tone in zhuyin alone"


def test_single_words_are_words_though_no_blank_stands_between_them():
    alphabet = Alphabet.of_characters(["stop", "go"])
    assert alphabet.spaced and alphabet.words(alphabet.encode("stop")) == [("stop", 0, 4)]
    assert Alphabet.of_characters(["ㄅㄚˊ", "ㄇㄚ"]).spaced
    assert not Alphabet.of_characters(["ไทย"]).spaced, "no blanks, and no single words either"


def test_each_chinese_character_among_english_words_is_one():
    alphabet = Alphabet.of_characters(["用 zhuji 训练ok"])
    numbers = alphabet.encode("用 zhuji 训练ok")
    assert alphabet.decode(numbers) == "用 zhuji 训练ok"
    assert alphabet.words(numbers) == [("用", 0, 1), ("zhuji", 2, 7), ("训", 8, 9), ("练", 9, 10), ("ok", 10, 12)]


def test_case_and_marks_may_stay():
    assert normal("Wait, Bob.", case="keep") == "Wait Bob"
    assert normal("Wait,  Bob.", punctuation="keep") == "wait, bob."


@pytest.mark.parametrize("alphabet", [Alphabet.of_characters(TEXTS), Alphabet.of_pieces(TEXTS, 40)])
def test_letters_there_and_back(alphabet):
    for text in TEXTS:
        numbers = alphabet.encode(text)
        assert alphabet.decode(numbers) == text and min(numbers) >= 1 and max(numbers) <= len(alphabet.letters)
        words = alphabet.words(numbers)
        assert [word for word, _, _ in words] == text.split()
        for word, first, past in words:
            assert alphabet.decode(numbers[first:past]) == word
        assert all(one[2] <= other[1] for one, other in pairwise(words))
    assert alphabet.encode("") == [] and alphabet.decode([]) == "" and alphabet.words([]) == []
    assert alphabet.spaced


def test_pieces_are_fewer_and_the_same_each_time():
    pieces = Alphabet.of_pieces(TEXTS, 40)
    assert len(pieces.letters) <= 40 and pieces == Alphabet.of_pieces(TEXTS, 40) == Alphabet.of_pieces(TEXTS[::-1], 40)
    assert len(pieces.encode(TEXTS[0])) < len(TEXTS[0])
    again = Alphabet(pieces.letters, pieces.merges)
    assert again.encode(TEXTS[1]) == pieces.encode(TEXTS[1])


def test_where_pieces_are_no_more_than_characters_blanks_stay():
    texts = ["가나 다라", "가 마바"]
    alphabet = Alphabet.of_pieces(texts, 4)
    assert alphabet == Alphabet.of_characters(texts) and alphabet.spaced
    assert [alphabet.decode(alphabet.encode(text)) for text in texts] == texts


def test_unknown_letters_are_left_out():
    assert Alphabet.of_characters(["ab"]).encode("axb") == [1, 2]
    pieces = Alphabet.of_pieces(TEXTS, 40)
    assert pieces.decode(pieces.encode("the Ω key")).split() == ["the", "key"]


def test_characters_of_a_script_without_blanks_are_its_words():
    chinese = Alphabet.of_characters(["筑基", "从头开始"])
    assert not chinese.spaced
    numbers = chinese.encode("从头")
    assert chinese.decode(numbers) == "从头" and chinese.words(numbers) == [("从", 0, 1), ("头", 1, 2)]


def test_blanks_stand_between_words_and_are_no_part_of_them():
    alphabet = Alphabet.of_characters(["a b"])
    assert alphabet.begins == (False, True, False, False)
    assert alphabet.words([2, 1, 1, 3]) == [("a", 0, 1), ("b", 3, 4)]
    assert alphabet.decode([1, 2, 1, 1, 3, 1]) == "a b"


def test_syllables_are_letters_and_other_words_are_spelled() -> None:
    texts = ["zhu4 ji1 ok", "ji1 lü4", "ok zhu4"]
    alphabet = Alphabet.of_syllables(texts)
    assert alphabet.letters == ("k", "▁ji1", "▁lü4", "▁o", "▁zhu4") and alphabet.spaced
    assert alphabet.encode("zhu4 ok") == [5, 4, 1] and alphabet.encode("ma3 ji1") == [2]
    assert [alphabet.decode(alphabet.encode(text)) for text in texts] == texts
    assert alphabet.words([5, 4, 1]) == [("zhu4", 0, 1), ("ok", 1, 3)]
