"""The written form of a pretraining."""

from __future__ import annotations

import pytest

from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.data.chat import named
from zhuji.training.pretraining import Pretraining, compose, is_pretraining


def test_layers_and_pairs_on_top() -> None:
    run = compose(
        {"corpus": {"sources": ["a.txt"]}, "pack": 64, "train": {"epochs": 2}}, {"train": {"epochs": 3}}, sets=["pack=96"]
    )
    assert run.pack == 96 and run.train.epochs == 3 and run.corpus.sources[0].path == "a.txt"
    assert Pretraining.parse(run.plain()) == run


def test_it_is_told_from_a_run_on_labelled_rows() -> None:
    assert is_pretraining(compose({"corpus": {"sources": ["a.txt"]}}).plain())
    assert not is_pretraining({"data": {"path": "a.csv"}})


def test_wrong_words() -> None:
    with pytest.raises(BadSetting):
        compose({"corpus": {"sources": []}})
    with pytest.raises(UnknownKey):
        compose({"corpus": {"sources": ["a.txt"]}, "packs": 3})


def test_conversations_are_learned_in_the_format_in_which_they_are_led() -> None:
    run = Pretraining.parse({"corpus": {"sources": ["a.jsonl"]}, "task": {"name": "next_unit", "chat": "chatml"}})
    assert run.corpus.chat == named()["chatml"]
    assert Pretraining.parse(run.plain()) == run
    other = compose({"corpus": {"sources": ["a.jsonl"], "chat": "plain"}, "task": {"name": "next_unit", "chat": "chatml"}})
    assert other.corpus.chat == named()["plain"]
    assert compose({"corpus": {"sources": ["a.txt"]}}).corpus.chat is None
    with pytest.raises(BadSetting, match="one of: chatml"):
        compose({"corpus": {"sources": ["a.txt"]}}, sets=["corpus.chat=chatty"])
