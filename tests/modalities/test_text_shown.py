"""Where the units of a text stand in it."""

from __future__ import annotations

import pytest

from zhuji.modalities.spelled import Spelled
from zhuji.modalities.text import Text

TEXTS = [
    "the unhappiness of sailors",
    "筑基：从头开始 train it",
    "no, not good 😀👍🏽 at all",
    "ｆｕｌｌ ＷＩＤＴＨ",
    "İstanbul café",
]


def parts_of(modality, raw):
    shown = modality.shown(raw)
    return [shown.text[begin:end] for begin, end in shown.parts], shown


@pytest.mark.parametrize("tokenizer", ["words", "bytes", "bpe", "unigram", "wordpiece", "characters"])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_are_added_up_to_words_where_there_are_blanks(tokenizer, text):
    modality = Text(tokenizer=tokenizer, vocab_size=300).fit(TEXTS)
    parts, shown = parts_of(modality, text)
    assert len(shown.units) == modality.encode([text])[0].length
    shared = [part for part in parts if part.strip()]
    assert "".join("".join(shared).split()) == "".join(text.split())
    if text.startswith("the"):
        assert shared == text.split()


def test_characters_of_scripts_without_blanks_stand_alone():
    modality = Text(tokenizer="characters", vocab_size=300).fit(TEXTS)
    assert parts_of(modality, "从头train")[0] == ["从", "头", "train"]


def test_an_emoji_of_several_bytes_is_one_part():
    modality = Text(tokenizer="bytes", vocab_size=300).fit(TEXTS)
    parts, shown = parts_of(modality, "a😀b")
    assert parts == ["a", "😀", "b"] and [first for first, _ in shown.units.tolist()] == [0, 1, 1, 1, 1, 2]


def test_marks_around_a_text_stand_for_nothing_and_what_is_cut_off_has_no_unit():
    modality = Text(wrap="both", max_units=4, vocab_size=300).fit(TEXTS)
    parts, shown = parts_of(modality, "the unhappiness of sailors")
    assert parts == ["the", "unhappiness", "of", "sailors"]
    assert shown.units.tolist() == [[0, 0], [0, 1], [1, 2], [0, 0]]


def test_runs_of_tokens_stand_for_all_of_their_words():
    modality = Text(ngrams=2, ngram_frequency=1, vocab_size=300).fit(TEXTS)
    _, shown = parts_of(modality, "the unhappiness the sailors")
    assert shown.units.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [0, 2]], "one of three pairs is known"


def test_words_stay_words():
    for modality in (Text(tokenizer="bytes", vocab_size=300).fit(TEXTS), Spelled(max_units=9)):
        parts, shown = parts_of(modality, ("the", "sailors", "筑", "基"))
        assert (parts == ["the", "sailors", "筑", "基"] and shown.text == "the sailors筑基") or shown.text == "the sailors 筑基"
        assert {first for first, _ in shown.units.tolist()} == {0, 1, 2, 3}


@pytest.mark.parametrize("raw", ["", "  ", ()])
def test_nothing_is_shown_of_nothing(raw):
    for modality in (Text(vocab_size=300).fit(TEXTS), Spelled()):
        shown = modality.shown(raw)
        assert len(shown.parts) == 0 and shown.units.tolist() == [[0, 0]]
