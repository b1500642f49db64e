"""The rest of the ways to meet an error: those that need a model, a run or a corpus."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.core.provocations import PROVOCATIONS, ROWS, Patch, csv, provokes
from zhuji.tools.convert import convert
from zhuji.training.run import Run, compose

__all__ = ["PROVOCATIONS"]


# ------------------------------------------------------------------------------------------------------ bundle


def run_of(path: Path, **train: object) -> Run:
    """A run of a few steps on these rows."""
    small = {"steps": 6, "precision": "fp32", "rehearse": False, **train}
    return compose(
        {"data": {"path": str(path)}, "train": small, "backbone": {"name": "bag", "width": 8}},
        {"evaluate": {"bootstrap": 20, "baselines": False}},
    )


def fitted(folder: Path) -> Path:
    """The bundle of a small run."""
    from zhuji.training.fit import fit

    fit(run_of(csv(folder)), folder / "run")
    return folder / "run" / "bundle"


def opened(bundle: Path) -> object:
    from zhuji.model.bundle import open_bundle

    return open_bundle(bundle)


@provokes("NotABundle")
def _(folder: Path, patch: Patch) -> object:
    return opened(folder)


@provokes("DamagedBundle")
def _(folder: Path, patch: Patch) -> object:
    bundle = fitted(folder)
    weights = bundle / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    return opened(bundle)


@provokes("UnsafeBundle")
def _(folder: Path, patch: Patch) -> object:
    bundle = fitted(folder)
    (bundle / "setup.py").write_text("print('run me')")
    return opened(bundle)


@provokes("NewerFormat")
def _(folder: Path, patch: Patch) -> object:
    bundle = fitted(folder)
    config = json.loads((bundle / "config.json").read_text())
    rewrite(bundle, "config.json", json.dumps({**config, "format": 99}))
    return opened(bundle)


def rewrite(bundle: Path, name: str, text: str) -> None:
    """Another content with a matching hash: what a newer program would have saved."""
    from zhuji.model.bundle import json_bytes

    (bundle / name).write_text(text)
    hashes = json.loads((bundle / "hashes.json").read_text())
    hashes[name] = {"bytes": len(text.encode()), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    (bundle / "hashes.json").write_bytes(json_bytes(hashes))


# --------------------------------------------------------------------------------------------------------- run


@provokes("RunExists")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.training.fit import fit

    return fit(run_of(csv(folder)), folder)


@provokes("NothingToResume")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.training.fit import resume

    return resume(folder)


@provokes("ChangedSinceStart")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.errors import Interrupted
    from zhuji.training.fit import resume

    with patch.context() as inner, pytest.raises(Interrupted):
        stopped(folder, inner, signal.SIGINT)
    csv(folder, rows=ROWS[:-2])
    return resume(folder / "run")


@provokes("TooManyBadSteps")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.training.fit import fit

    optim = {"lr": 1e30, "warmup": 0, "schedule": "constant", "clip": None}
    return fit(run_of(csv(folder), steps=50, batch_rows=4, evaluate_every=100, max_bad_steps=0, optim=optim), folder / "run")


@provokes("AnswersDiffer")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.model.bundle import open_bundle
    from zhuji.model.parity import reopened

    bundle = fitted(folder)
    predictor = open_bundle(bundle)
    predictor.model.head.out.bias.data[0] += 1  # pyright: ignore
    return reopened(predictor).require(bundle)


@provokes("CannotExport")
def _(folder: Path, patch: Patch) -> object:
    from tests.formats.made import predictor
    from zhuji.formats import find

    return find("onnx").write(predictor("writer"), folder / "onnx")


@provokes("NoWeights")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.model.bundle import open_bundle
    from zhuji.model.predictor import Predictor
    from zhuji.tasks.contrast import Contrast

    found = open_bundle(fitted(folder))
    found.model.task = Contrast(views="crop")
    return Predictor(found.model, runner=found.model.answers).examine([])


@provokes("WrongModel")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.model.bundle import open_bundle
    from zhuji.tools.nearest import index, nearest

    bundle = fitted(folder)
    index(bundle, csv(folder), folder / "index")
    other = open_bundle(bundle)
    other.model.head.out.bias.data += 1  # pyright: ignore
    return nearest(folder / "index", ["a"], predictor=other)


def stopped(folder: Path, patch: Patch, by: signal.Signals) -> object:
    """A run that is sent a signal when it writes its first line."""
    from zhuji.training.fit import fit
    from zhuji.training.hooks import Watchers

    signals = iter([by])
    patch.setattr(Watchers, "see", lambda self, line: [os.kill(os.getpid(), number) for number in signals])
    return fit(run_of(csv(folder), steps=50), folder / "run")


@provokes("Interrupted")
def _(folder: Path, patch: Patch) -> object:
    return stopped(folder, patch, signal.SIGINT)


@provokes("Terminated")
def _(folder: Path, patch: Patch) -> object:
    return stopped(folder, patch, signal.SIGTERM)


@provokes("DiskFull")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.training import checkpoint
    from zhuji.training.fit import fit

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(checkpoint, "save_file", full)
    return fit(run_of(csv(folder)), folder / "run")


@provokes("WontFit")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.training import rehearsal
    from zhuji.training.fit import fit

    patch.setattr(rehearsal, "_free_memory", lambda *_: 1)
    return fit(run_of(csv(folder), rehearse=True), folder / "run")


@provokes("NotFinite")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.metrics.intervals import bootstrap
    from zhuji.metrics.probabilities import log_loss

    evidence = {
        "label": np.array([0, 1]),
        "prediction": np.array([0, 1]),
        "probabilities": np.array([[0.5, 0.5], [np.nan, 0.5]]),
    }
    return bootstrap(log_loss, evidence, 10, 0)


@provokes("CorpusExists")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.data.corpus.build import Coding, build
    from zhuji.data.corpus.settings import CorpusSettings

    (folder / "there").mkdir()
    coding = Coding(lambda texts: [{} for _ in texts], {}, "")
    return build(folder / "there", CorpusSettings.parse({"sources": [str(csv(folder))]}), coding)


@provokes("ScratchFull")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.data.corpus.copies import NearIndex

    def full(**settings: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(tempfile, "TemporaryFile", full)
    return NearIndex(0.8, seed=0)


@provokes("CorpusFormat")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.data.corpus.shards import Corpus

    (folder / "manifest.json").write_text('{"format": 1, "blocks": []}')
    return Corpus(folder)


@provokes("NoCommonRows")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.tools.compare import compare

    for name, text in (("a", "one"), ("b", "two")):
        (folder / name).mkdir()
        (folder / name / "results.json").write_text('{"test": {"accuracy": {"value": 1}}, "labels": ["x"], "confusion": [[1]]}')
        (folder / name / "predictions.csv").write_text(f"id,input,label,prediction,score\nrow-1,{text},x,x,1.0\n")
    return compare(folder / "a", folder / "b")


@provokes("UnreadableModel")
def _(folder: Path, patch: Patch) -> object:
    (folder / "config.json").write_text('{"model_type": "mixtral"}')
    return convert(folder, folder / "there")


@provokes("UnwritableModel")
def _(folder: Path, patch: Patch) -> object:
    return convert(fitted(folder), folder / "there")


@provokes("PicturesAreRows")
def pictures_for_a_corpus(tmp_path: Path, patch: Patch) -> None:
    from zhuji.data.corpus.settings import TextsSettings
    from zhuji.data.corpus.texts import Texts

    (tmp_path / "1.png").write_bytes(b"a picture")
    Texts(TextsSettings(path=str(tmp_path)))


@provokes("NotEmpty")
def _(folder: Path, patch: Patch) -> object:
    from tests.painter import painter
    from zhuji.model.draw import DrawSettings
    from zhuji.tools.draw import draw

    (folder / "mine.png").write_bytes(b"")
    return draw(painter(), DrawSettings(), folder)
