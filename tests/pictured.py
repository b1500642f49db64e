"""One small run on pictures, trained once a process, for all tests of what one does with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

import zhuji
from tests.trained import folder

FAST = (
    "modality={name: image, size: [8, 8], patch: 2}", "backbone={name: bag, width: 16}", "train.rehearse=false", "train.precision=fp32",
    "train.threads=1", "evaluate.bootstrap=20", "train.optim.lr=0.02", "evaluate.golden_rows=6",
)  # fmt: skip
COLOURS = {"green": (40, 200, 40), "red": (200, 40, 40), "蓝": (40, 40, 200)}


def write_pictures(root: Path, rows: int = 60, seed: int = 0, splits: tuple[str, ...] = ("train", "test")) -> Path:
    """Noisy scenes of one colour, by split and class, unlike each other."""
    chance = np.random.default_rng(seed)
    for number in range(rows):
        name = list(COLOURS)[number % 3]
        noise = chance.normal(0, 60, (6, 5, 3)) + np.array(COLOURS[name])
        image = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).resize((40, 48), Image.Resampling.BICUBIC)
        split = splits[(number // 3) % 3 == 2] if len(splits) > 1 else splits[0]
        place = root / split / name
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{number:03}.{'jpg' if number % 2 else 'png'}")
    return root


@cache
def data() -> Path:
    root = write_pictures(folder() / "colours")
    (root / "train/red/broken.png").write_bytes(b"no picture")
    return root


@cache
def result() -> zhuji.Result:
    return zhuji.train(data(), epochs=6, run_dir=folder() / "run", sets=(*FAST, "data.max_dropped=0.1"))
