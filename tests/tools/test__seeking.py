"""A model that spells numbers: trained as a person would, then asked to seek otherwise."""

import csv
import random
from functools import cache
from pathlib import Path

import pytest

import zhuji
from tests.model import writers
from tests.trained import folder
from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import bundle
from zhuji.tools._seeking import sought, without
from zhuji.tools.compare import compare

SOUNDS = {"a": "ah", "b": "be", "c": "see", " ": "pause"}


@cache
def run(seed: int = 0) -> Path:
    """Words of letters, and how each letter sounds."""
    chance, place = random.Random(1), folder()
    said = ["".join(chance.choices("aabc ", k=chance.randint(2, 6))).strip() or "a" for _ in range(160)]
    with open(place / "said.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "target"])
        rows.writerows([" ".join(f"{SOUNDS[letter]} hm" for letter in text), text.upper() + "."] for text in said)
    sets = ["data.near=0", "data.leaks=allow", "task.name=transcribe", "train.epochs=10", "train.rehearse=false", "train.precision=fp32", "evaluate.baselines=false", "train.threads=1",
            "backbone.name=conformer", "backbone.width=16", "backbone.layers=1", "backbone.heads=2", "backbone.window=3",
            "backbone.subsample=1", "evaluate.bootstrap=50", "train.optim.lr=0.01", "train.batch_units=160"]  # fmt: skip
    return zhuji.train(
        place / "said.csv", text="source", target="target", run_dir=place / f"run-{seed}", seed=seed, sets=sets
    ).run


def test_it_is_trained_scored_and_asked_like_any_model():
    found = zhuji.evaluate(run())
    assert list(found.scores)[:2] == ["wer", "cer"] and found.scores["cer"].value < 0.5
    assert found.scores["cer"].low <= found.scores["cer"].value <= found.scores["cer"].high
    [answered] = zhuji.predict(run(), ["ah hm pause hm be hm"])
    told = answered.as_dict()
    assert set(told["prediction"]) <= set("abc ") and [one["word"] for one in told["times"]] == told["prediction"].split()


def test_a_search_is_asked_for_without_training_again():
    greedy, wide = zhuji.evaluate(run()), zhuji.evaluate(run(), sets=["decode.beams=8"])
    assert wide.scores["greedy_cer"] == greedy.scores["greedy_cer"]
    assert wide.scores["cer"].value <= greedy.scores["cer"].value + 0.05
    assert without(["decode.beams=8", "data.text=x"]) == ["data.text=x"]


def test_a_language_model_is_another_run():
    model = writers.writer(tokenizer="characters", wrap="both")
    place = folder() / "writer"
    bundle.save(model, place, clean=CleanSettings(), roles=Roles(text=("text",)), golden=[], card="# A writer")
    predictor = zhuji.load(run()).predictor
    asked = sought(predictor, [f"decode.language={place}", "decode.language_weight=0.2", "decode.beams=4"])
    assert asked.model.task.beams == 4 and asked.model.encoder is predictor.model.encoder
    assert "language model 0.2" in asked.model.task.notes()["cer"]
    assert predictor.model.task.beams == 1 and next(asked.predict(["be hm be hm"])).answer is not None


def test_what_is_not_about_seeking_is_refused():
    predictor = zhuji.load(run()).predictor
    assert sought(predictor, ["data.text=x"]) is predictor
    with pytest.raises(UnknownKey, match="beams"):
        sought(predictor, ["decode.beam=8"])
    with pytest.raises(UnknownKey):
        sought(predictor, ["decode.letters=[a]"])
    with pytest.raises(BadSetting, match=r"decode\.beams"):
        sought(predictor, ["decode.beams=0"])


def test_runs_are_compared_by_their_words():
    found = compare(run(), run())
    assert list(found.metrics) == ["wer", "cer"] and found.rows == 32
    assert 0 <= found.metrics["cer"].a.value < 0.5 and "wer" in found.verdict
