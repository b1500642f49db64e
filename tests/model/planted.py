"""Pictures of noise in which one small patch alone decides the class, and a network that has learned it; it takes a second or two."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from zhuji.backbones.resnet import Resnet
from zhuji.core.records import Picture, Record
from zhuji.core.units import Batch
from zhuji.data.infer import Roles
from zhuji.modalities.image import Image
from zhuji.modalities.image import _written as written
from zhuji.model.assembly import assemble, collate
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify

SIDE, PATCH = 16, 4
COLOURS = {"blue": (30, 60, 220), "red": (220, 40, 30)}


def pictures(count: int, seed: int) -> list[tuple[Picture, str, tuple[int, int]]]:
    """Picture, class, and top and left of its patch."""
    chance, made = np.random.default_rng(seed), []
    for number in range(count):
        name = list(COLOURS)[number % 2]
        top, left = chance.integers(0, SIDE - PATCH + 1, 2).tolist()
        pixels = chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        pixels[top : top + PATCH, left : left + PATCH] = COLOURS[name]
        made.append((written(pixels), name, (top, left)))
    return made


def untrained(seed: int, **more: Any) -> Predictor:
    """The same network with other weights. `more`: settings of the modality."""
    rows = pictures(64, 0)
    modality = Image(size=(SIDE, SIDE), **more).fit([raw for raw, _, _ in rows])
    task = Classify(pool="max").fit([Record(str(i), raw, label=name) for i, (raw, name, _) in enumerate(rows)])
    model = assemble(modality, Resnet(blocks=(1,), widths=(12,)), task, seed=seed)
    return Predictor(model.eval(), roles=Roles(text=(), image="image"))


@cache
def trained() -> Predictor:
    predictor = untrained(0)
    model, rows = predictor.model, pictures(64, 0)
    records = [Record(str(i), raw, label=name) for i, (raw, name, _) in enumerate(rows)]
    encoded = model.modality.encode([record.input for record in records])
    batch: Batch = collate(model, encoded, records, SIDE * SIDE)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(40):
        optimiser.zero_grad()
        model.task.loss(model.outputs(batch), batch).mean().backward()
        optimiser.step()
    model.eval()
    return predictor


def near(cells: np.ndarray, place: tuple[int, int]) -> bool:
    """Whether the window as large as the patch in which a map has most weight lies at most two pixels from it."""
    scale = SIDE // len(cells)
    whole = np.kron(cells, np.ones((scale, scale)))
    windows = np.lib.stride_tricks.sliding_window_view(whole, (PATCH, PATCH)).sum((2, 3))
    top, left = np.unravel_index(windows.argmax(), windows.shape)
    return max(abs(int(top) - place[0]), abs(int(left) - place[1])) <= 2


def share_in_patch(cells: np.ndarray, place: tuple[int, int]) -> float:
    """Of a map's strength; the patch is 1/16 of the picture."""
    scale = SIDE // len(cells)
    top, left = place
    whole = np.kron(np.abs(cells), np.ones((scale, scale)))
    return float(whole[top : top + PATCH, left : left + PATCH].sum() / whole.sum())
