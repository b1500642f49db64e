"""A pretrained model from Python: each verb once, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zhuji
from tests import foundation, trained
from tests.serving import made
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.data.chat import named
from zhuji.data.ledger import Ledger


def test_writing_is_the_same_in_one_piece_and_as_a_stream() -> None:
    run = foundation.result().run
    options = {"temperature": 0.7, "top_k": 20, "max_units": 8}
    (text,) = zhuji.generate(run, "the cat", seed=3, **options).texts
    assert text.text == "".join(zhuji.stream(run, "the cat", seed=3, **options)) and text.units <= 8
    assert len(zhuji.generate(run, ["the cat", "the dog"], beams=2, sets=["generate.max_units=3"]).texts) == 2
    with pytest.raises(BadSetting):
        list(zhuji.stream(run, "x", how="beam"))
    with pytest.raises(ImpossiblePair):
        zhuji.generate(trained.run(), "x")


def test_a_schema_may_be_a_mapping() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    (text,) = zhuji.generate(foundation.result().run, "x", json_schema=schema, max_units=20).texts
    assert text.text.replace(" ", "").startswith("{") or not text.ended


def test_perplexity() -> None:
    ledger = Ledger()
    found = zhuji.perplexity(foundation.result().run, foundation.texts(), ledger, window=16)
    assert found.texts == ledger.read == 120 and 1 < found.perplexity < 1000 and found.bits_per_byte > 0
    assert zhuji.perplexity(foundation.result().run, foundation.rows(), text="text").texts == 90


def test_vectors_index_and_search(tmp_path: Path) -> None:
    run = foundation.result().run
    done = zhuji.embed(run, foundation.rows(), tmp_path / "v.npy", label="label")
    assert np.load(tmp_path / "v.npy").shape == (90, 16) == (done.rows, done.width)
    zhuji.index(run, foundation.rows(), tmp_path / "index")
    (hits,) = zhuji.nearest(tmp_path / "index", "the dog barks and chases a long stick day 3", k=2)
    assert hits[0].label == "dogs" and hits[0].score == pytest.approx(1, abs=1e-5)
    assert zhuji.retrieval(tmp_path / "index", foundation.rows(), 5, model=run).asked == 90
    with pytest.raises(BadSetting, match="nothing to set"):
        zhuji.nearest(tmp_path / "index", "x", sets=["a.b=1"])


def test_probe() -> None:
    found = zhuji.probe(foundation.result().run, foundation.rows(), sets=["data.near=0"])
    assert {"linear", "neighbours", "majority"} <= set(found.scores)


def test_converting_there_and_back(tmp_path: Path) -> None:
    run = foundation.result().run
    assert zhuji.convert(run, tmp_path / "hf").wrote.startswith("GPT2")
    assert zhuji.convert(tmp_path / "hf", tmp_path / "back").wrote == "bundle"
    ask = {"how": "greedy", "max_units": 4}
    assert zhuji.generate(tmp_path / "back", "the cat", **ask) == zhuji.generate(run, "the cat", **ask)


@pytest.mark.slow
def test_a_conversation() -> None:
    conversation = zhuji.chat(made.talker(), system="Be brief.", how="greedy", sets=["generate.max_units=20"])
    assert "".join(conversation.say("What says the cat?")) == "meow"
    assert [one["role"] for one in conversation.as_dict()["messages"]] == ["system", "user", "assistant"]
    with pytest.raises(ImpossiblePair):
        zhuji.chat(foundation.result().run)


def test_a_chat_format_is_all_that_is_set_on_the_way(tmp_path: Path) -> None:
    run = foundation.result().run
    for sets in (["task.tied=false"], ["task.chat=plain", "task.bias=true"], ["train.lr=1"], ["task.chat=chatty"]):
        with pytest.raises(BadSetting):
            zhuji.convert(run, tmp_path / "hf", sets=sets)
    zhuji.convert(run, tmp_path / "hf", sets=["task.chat=plain"])
    zhuji.convert(tmp_path / "hf", tmp_path / "back")
    assert zhuji.load(tmp_path / "back").predictor.model.task.chat == named()["plain"]
