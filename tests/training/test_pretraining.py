"""The written form of a pretraining."""

from __future__ import annotations

import pytest

from zhuji.core.errors import BadSetting, UnknownKey
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
