"""Pretraining from Python: what is planned, what comes of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zhuji
from tests import foundation, trained
from zhuji.api.foundation import planned
from zhuji.core.errors import BadSetting, CorpusExists, UnknownName


def test_a_foundation_has_scores_a_bundle_and_a_report() -> None:
    done = foundation.result()
    assert done.facts["kind"] == "pretrain" and {"next_loss", "perplexity"} <= set(done.valid)
    assert (done.bundle / "config.json").is_file() and "pretraining report" in done.report.read_text(encoding="utf-8")
    assert done.as_dict()["report"] == str(done.report)
    assert zhuji.resume(done.run).facts == done.facts


@pytest.mark.slow
def test_triplets_need_no_labels(tmp_path: Path) -> None:
    done = zhuji.pretrain(
        foundation.texts(), objective="triplet", epochs=2, run_dir=tmp_path / "t", sets=foundation.SMALL, progress=False
    )
    assert set(done.valid) == {"align_and_spread", "alignment", "uniformity", "spread", "effective_rank", "view_recall"}
    zhuji.embed(done.run, foundation.rows(), tmp_path / "vectors.npy")
    vectors = np.load(tmp_path / "vectors.npy")
    assert vectors.shape == (90, 16) and np.isfinite(vectors).all()
    assert zhuji.probe(done.run, foundation.rows(), sets=["data.near=0"]).as_dict()
    sets = [
        "data.near=0",
        "train.epochs=2",
        "train.rehearse=false",
        "train.precision=fp32",
        "evaluate.bootstrap=10",
        "evaluate.baselines=false",
    ]
    taught = zhuji.train(foundation.rows(), start=done.run, run_dir=tmp_path / "c", sets=sets)
    assert taught.test["accuracy"]["value"] > 0.4
    again = zhuji.pretrain(
        foundation.texts(),
        start=done.run,
        epochs=1,
        run_dir=tmp_path / "a",
        sets=["train.rehearse=false", "corpus.duplicates=keep", "corpus.valid=0.1"],
        progress=False,
    )
    assert again.facts["model"]["task"] == "triplet" and "view_recall" in again.valid


def test_what_is_planned() -> None:
    run = planned("a.txt", objective="contrast", text="body", without=["b.csv:test", "c.txt"], epochs=2, seed=3)
    assert run.task == {"name": "contrast"} and run.train.epochs == 2 and run.seed == 3 and run.name == "a-bert-mini"
    assert run.corpus.sources[0].columns == ("body",)
    assert [(texts.path, texts.split) for texts in run.corpus.exclude] == [("b.csv", "test"), ("c.txt", None)]


def test_from_a_model_its_shape_and_its_objective_count(capsys: pytest.CaptureFixture[str]) -> None:
    run = planned("a.txt", start=foundation.result().run)
    assert run.modality == run.backbone == {} and run.task == {"name": "auto"}
    assert run.start is not None and run.start.head == "kept"
    run = planned("a.txt", start="some", objective="masked")
    assert run.start is not None and run.start.head == "fresh" and run.task["name"] == "masked_units"
    run = planned("a.txt", start=trained.run())
    assert run.start is not None and run.start.head == "fresh" and run.task["name"] == "masked_units", "a classifier has none"
    capsys.readouterr()
    planned("a.txt", start="some", model="gpt-mini")
    assert "of 'gpt-mini' only its task and training count" in capsys.readouterr().err


def test_a_recipe_for_labelled_rows_is_refused() -> None:
    with pytest.raises(BadSetting, match="zhuji train DATA --model bag"):
        planned("a.txt", model="bag")
    with pytest.raises(UnknownName, match="distill-self"):
        planned("a.txt", objective="guess")


def test_tokenizer_and_corpus(tmp_path: Path) -> None:
    learned = zhuji.tokenizer(foundation.texts(), tmp_path / "tok", vocab_size=200, sets=["corpus.duplicates=keep"])
    assert 100 < learned.vocabulary <= 200 and (tmp_path / "tok" / "tokenizer.json").is_file()
    with pytest.raises(CorpusExists):
        zhuji.tokenizer(foundation.texts(), tmp_path / "tok")
    built = zhuji.corpus(foundation.texts(), tmp_path / "c", tokenizer=tmp_path / "tok", sets=["corpus.duplicates=keep"])
    assert built.vocabulary == learned.vocabulary and built.ledger["read"] == 120
