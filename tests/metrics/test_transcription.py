import builtins
from functools import cache

import jiwer
import numpy as np
import pytest

from zhuji.core.errors import MissingExtra
from zhuji.metrics import transcription
from zhuji.metrics.evidence import Evidence
from zhuji.metrics.intervals import bootstrap

SAID = ["that agent is logged on", "login incorrect", "筑基", "the pound key", "yes", "please enter your agent number now"]
HEARD = ["that a gent is logged", "login incorrect", "从基", "pound the key", "", "please enter you agent numbers now now"]


def distance(one, other):
    """Levenshtein's, from its definition."""

    @cache
    def of(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(of(a[1:], b) + 1, of(a, b[1:]) + 1, of(a[1:], b[1:]) + (a[0] != b[0]))

    return of(tuple(one), tuple(other))


def test_edits_are_those_of_the_definition_and_rates_those_of_jiwer():
    said, heard = [text.replace("筑基", "yes") for text in SAID], [text.replace("从基", "no") for text in HEARD]
    columns = transcription.judged(heard, said)
    assert columns["word_edits"].tolist() == [distance(a.split(), b.split()) for a, b in zip(said, heard, strict=True)]
    assert columns["letter_edits"].tolist() == [distance(a, b) for a, b in zip(said, heard, strict=True)]
    assert transcription.wer(columns) == pytest.approx(jiwer.wer(said, heard)) and not transcription.wer.higher_is_better
    assert transcription.cer(columns) == pytest.approx(jiwer.cer(said, heard))


def test_a_chinese_character_is_a_word():
    """Of Chinese alone both rates are one; with English words in it the rate is mixed; zhuyin has syllables between blanks."""
    said, heard = ["筑基从头", "用 zhuji 训练", "ㄅㄚˊ ㄇㄚ˙"], ["从基从头", "用 zhu ji 训", "ㄅㄚ ㄇㄚ˙"]
    columns = transcription.judged(heard, said)
    assert columns["words"].tolist() == [4, 4, 2] and columns["word_edits"].tolist() == [1, 3, 1]
    assert columns["letters"].tolist() == [4, 10, 7] and columns["letter_edits"].tolist() == [1, 2, 1]
    assert transcription.judged([""], ["筑基"])["word_edits"].tolist() == [2]


def test_merging_in_any_order_is_exact():
    whole = transcription.judged(HEARD, SAID)
    parts = [transcription.judged(HEARD[a:b], SAID[a:b]) for a, b in ((4, 6), (0, 1), (1, 4))]
    state = Evidence.empty()
    for columns, rows in zip(parts, (range(4, 6), range(1), range(1, 4)), strict=True):
        one = Evidence.empty()
        one.add(columns, list(rows))
        state = state.merge(one)
    assert all(np.array_equal(state.columns()[name], whole[name]) for name in whole)
    assert transcription.wer(state.columns()) == transcription.wer(whole)


def test_nothing_said_and_nothing_heard():
    columns = transcription.judged(["", "two words", ""], ["", "", "gone away"])
    assert columns["word_edits"].tolist() == [0, 2, 2] and columns["words"].tolist() == [0, 0, 2]
    assert transcription.wer(columns) == 2.0 and np.isnan(transcription.wer(transcription.judged([""], [""])))


def test_an_interval_holds_the_value():
    found = bootstrap(transcription.wer, transcription.judged(HEARD * 10, SAID * 10), 200)
    assert found.low < found.value < found.high


def test_rows_by_length():
    columns = transcription.judged(HEARD, SAID)
    parts = transcription.by_length(columns)
    assert list(parts) == ["1–4", "5–8"] and [len(part["words"]) for part in parts.values()] == [4, 2]
    assert sum(part["word_edits"].sum() for part in parts.values()) == columns["word_edits"].sum()


def test_ranges_of_lengths_begin_behind_the_one_before():
    columns = {"words": np.array([0, 1, 4, 5, 8, 9, 16, 17, 400])}
    found = {name: part["words"].tolist() for name, part in transcription.by_length(columns).items()}
    assert found == {"1–4": [1, 4], "5–8": [5, 8], "9–16": [9, 16], "17+": [17, 400]}


def test_rates_of_the_likeliest_path_are_counted_alike():
    greedy, searched = transcription.judged(HEARD, SAID, "greedy_"), transcription.judged(HEARD, SAID)
    assert transcription.greedy_wer(greedy) == transcription.wer(searched)
    assert transcription.greedy_cer(greedy) == transcription.cer(searched) != transcription.wer(searched)


def test_a_note_says_by_which_rule_texts_were_written():
    assert transcription.rule_in(transcription.note("lower", "keep")) == ("lower", "keep")


def test_without_jiwer_it_is_said_what_to_install(monkeypatch):
    known = builtins.__import__

    def without(name, *more):
        if name == "jiwer":
            raise ImportError(name)
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="speech"):
        transcription.judged(["a"], ["a"])
