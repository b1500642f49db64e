"""One small run, trained once a process, for all tests of what one does with a finished run."""

from __future__ import annotations

import csv
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import zhuji

_KEPT: list[tempfile.TemporaryDirectory[str]] = []
FAST = ("train.rehearse=false", "evaluate.bootstrap=50", "train.precision=fp32", "modality.ngram_size=500")
WORDS = {
    "dogs": "bark bone leash puppy kennel fetch",
    "cats": "purr whisker litter kitten meow nap",
    "鸟类": "飞 翅膀 羽毛 鸟巢 唱歌 蛋",
}


def folder() -> Path:
    """A folder that lasts as long as the process."""
    _KEPT.append(tempfile.TemporaryDirectory())
    return Path(_KEPT[-1].name)


def write_rows(path: Path, rows: int = 120, seed: int = 0, **more: Any) -> Path:
    """A labelled CSV of texts that are unlike each other; `more` are constant further columns."""
    rng = random.Random(seed)
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["text", "label", *more])
        for i in range(rows):
            label = list(WORDS)[i % 3]
            noise = " ".join(f"{rng.getrandbits(24):x}" for _ in range(2))
            out.writerow([f"{' '.join(rng.sample(WORDS[label].split(), 3))} {noise}", label, *more.values()])
    return path


@cache
def data() -> Path:
    return write_rows(folder() / "pets.csv")


@cache
def result(seed: int = 0) -> zhuji.Result:
    return zhuji.train(data(), epochs=4, run_dir=folder() / "run", seed=seed, sets=FAST)


def run(seed: int = 0) -> Path:
    return result(seed).run
