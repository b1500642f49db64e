"""Pretraining: what it leaves, that it learns, resumes, starts from a model, and refuses what it must."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import made_up
from zhuji.core.errors import ChangedSinceStart, ImpossiblePair, NothingToResume, RunExists, TooFewRows
from zhuji.model.bundle import open_bundle
from zhuji.model.parity import reopened
from zhuji.training import folder as places
from zhuji.training import pretrain
from zhuji.training.finish import Result
from zhuji.training.pretraining import Pretraining, compose

SETS = (
    "modality={name: text, tokenizer: bpe, vocab_size: 400, max_units: 64}", "task={name: masked_units}", "pack=32",
    "backbone={name: transformer, width: 16, layers: 1, heads: 2, dropout: 0.1}", "train.steps=30", "train.batch_units=512",
    "train.precision=fp32", "train.rehearse=false", "train.evaluate_every=0.5", "held.bootstrap=20", "corpus.valid=0.1",
    "corpus.quality=null", "train.optim.lr=0.01",
)  # fmt: skip


def plan(texts: Path, *more: str) -> Pretraining:
    return compose(sets=[f"corpus.sources=[{texts}]", *SETS, *more])


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.texts(tmp_path_factory.mktemp("texts") / "texts.txt", lines=400)


@pytest.fixture(scope="module")
def done(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return pretrain.fit(plan(texts), tmp_path_factory.mktemp("run") / "run", progress=False)


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / places.METRICS).read_text().splitlines()]


def test_it_learns_and_leaves_a_whole_folder(done: Result) -> None:
    losses = [line["loss"] for line in lines(done.run) if line["kind"] == "train"]
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.3
    for name in (places.RUN, places.START, places.RESULTS, "ledger.json", "environment.json", places.BUNDLE, places.LEARNED):
        assert (done.run / name).exists()
    # Rows are full but for the last of a window.
    assert 0.98 * 30 * 512 <= done.facts["units"] <= 30 * 512 and done.facts["waste"] < 0.02
    ledger = done.facts["ledger"]
    assert ledger["read"] == 400 == ledger["used"] + ledger["cut"] + ledger["dropped"]
    assert set(done.facts["cost"]) == {"cpu_hours", "seconds", "joules", "joules_from"}


def test_utilisation_is_logged(done: Result) -> None:
    shares = [line["mfu"] for line in lines(done.run) if line["kind"] == "train"]
    assert shares and all(0 < share < 1 for share in shares)


def test_the_bundle_gives_the_scores_of_the_run(done: Result) -> None:
    predictor = open_bundle(done.bundle)
    assert reopened(predictor).passed and len(predictor.golden) == 8
    assert done.valid["masked_loss"]["value"] == pytest.approx(done.facts["loss"], rel=1e-6)
    assert done.facts["history"][-1]["masked_loss"] == pytest.approx(done.facts["loss"], rel=1e-6)


def test_same_seed_same_bits_and_another_seed_others(texts: Path, tmp_path: Path, done: Result) -> None:
    again = pretrain.fit(plan(texts), tmp_path / "again", progress=False)
    other = pretrain.fit(plan(texts, "seed=1"), tmp_path / "other", progress=False)
    weights = [(run.bundle / "model.safetensors").read_bytes() for run in (done, again, other)]
    assert weights[0] == weights[1] != weights[2]


def test_a_started_one_begins_where_the_first_ended(texts: Path, tmp_path: Path, done: Result) -> None:
    sets = [f"corpus.sources=[{texts}]", *(pair for pair in SETS if not pair.startswith(("modality", "backbone"))),
            f"start.path={done.run}", "train.steps=5", "train.optim.lr=1.0e-9"]  # fmt: skip
    second = pretrain.fit(compose(sets=sets), tmp_path / "second", progress=False)
    first, now = (open_bundle(run.bundle).model.encoder.state_dict() for run in (done, second))
    assert all(torch.allclose(first[name], now[name], atol=1e-6) for name in first)


def test_a_backbone_that_does_not_pack_gets_whole_documents(texts: Path, tmp_path: Path) -> None:
    recurrent = "backbone={name: recurrent, width: 8, hidden: 8}"
    sets = [pair for pair in SETS if not pair.startswith("backbone")]
    run = compose(sets=[f"corpus.sources=[{texts}]", *sets, recurrent, "train.steps=4", "train.evaluate_every=10"])
    result = pretrain.fit(run, tmp_path / "run", progress=False)
    assert result.facts["waste"] > 0


def test_contrast_is_trained_on_whole_documents(texts: Path, tmp_path: Path) -> None:
    sets = [pair for pair in SETS if not pair.startswith("task")]
    task = "task={name: contrast, views: crop, masked: 0.5}"
    run = compose(sets=[f"corpus.sources=[{texts}]", *sets, task, "train.steps=4", "train.evaluate_every=10"])
    result = pretrain.fit(run, tmp_path / "run", progress=False)
    assert "alignment" in result.valid
    assert all(0 < line["mfu"] < 1 for line in lines(tmp_path / "run") if line["kind"] == "train")


def test_resume_refuses_other_words(texts: Path, tmp_path: Path, done: Result) -> None:
    with pytest.raises(NothingToResume):
        pretrain.resume(tmp_path / "nowhere", progress=False)
    with pytest.raises(RunExists):
        pretrain.fit(plan(texts), done.run, progress=False)
    assert pretrain.resume(done.run, progress=False).facts == done.facts


def test_resume_refuses_another_corpus(tmp_path: Path) -> None:
    path = made_up.texts(tmp_path / "texts.txt", lines=100)
    folder = tmp_path / "run"
    pretrain.fit(plan(path, "train.steps=2", "train.evaluate_every=10"), folder, progress=False)
    (folder / places.RESULTS).unlink()
    made_up.texts(path, lines=90)
    with pytest.raises(ChangedSinceStart):
        pretrain.resume(folder, progress=False)


def test_nothing_left_is_said(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("short\n" * 3)
    with pytest.raises(TooFewRows):
        pretrain.fit(plan(path, "corpus.quality={}"), tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / places.START).exists()


def test_a_tokenizer_that_would_lose_the_marks_of_a_chat_is_refused_before_anything_is_learned(
    texts: Path, tmp_path: Path
) -> None:
    words = ("task={name: next_unit, chat: chatml}", "modality={name: text, tokenizer: words, vocab_size: 400, max_units: 64}")
    with pytest.raises(ImpossiblePair, match="give back the mark"):
        pretrain.fit(plan(texts, *words), tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / places.METRICS).exists()
