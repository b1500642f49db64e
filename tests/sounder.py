"""A tiny run over samples, trained once a process, that goes on with sounds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import zhuji
from tests import trained
from tests.heard import spoken_folder

RATE = 1_000
TINY = (
    f"modality.rate={RATE}", "backbone={name: wavenet, width: 6, skip: 12, layers: 5, cycles: 1}", "train.batch_units=2000",
    "train.optim.lr=0.01", "data.leaks=allow", *trained.FAST[:3],
)  # fmt: skip


@cache
def data() -> Path:
    return spoken_folder(trained.folder() / "tones")


@cache
def result() -> zhuji.Result:
    return zhuji.train(data(), model="wavenet", epochs=4, run_dir=trained.folder() / "run", sets=TINY)
