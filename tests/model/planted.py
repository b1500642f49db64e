"""Pictures of noise in which one small patch alone decides the class, and a network that has learned it; it takes a second or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch

from zhuji.backbones.resnet import Resnet
from zhuji.core.contracts import Task
from zhuji.core.records import Box, Picture, Record
from zhuji.core.units import Batch
from zhuji.data.infer import Roles
from zhuji.modalities.image import Image
from zhuji.modalities.image import _written as written
from zhuji.model.assembly import assemble, collate
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.detect import Detect

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


def untrained(seed: int, task: Task | None = None, **more: Any) -> Predictor:
    """The same network with other weights. `task`: another one than classes; `more`: settings of the modality."""
    records = _records()
    modality = Image(size=(SIDE, SIDE), **more).fit([record.input for record in records])
    fitted = (task or Classify(pool="max")).fit(_boxed(records) if isinstance(task, Detect) else records)
    model = assemble(modality, Resnet(blocks=(1,), widths=(12,)), fitted, seed=seed)
    return Predictor(model.eval(), roles=Roles(text=(), image="image"))


def _records() -> list[Record]:
    return [Record(str(i), raw, label=name) for i, (raw, name, _) in enumerate(pictures(64, 0))]


def _boxed(records: Sequence[Record]) -> list[Record]:
    """The patches as objects."""
    places = [place for _, _, place in pictures(len(records), 0)]
    boxes = [
        Box(str(one.label), left, top, left + PATCH, top + PATCH) for one, (top, left) in zip(records, places, strict=True)
    ]
    return [replace(one, label=(box,)) for one, box in zip(records, boxes, strict=True)]


@cache
def trained() -> Predictor:
    return _taught(untrained(0), _records(), steps=40)


@cache
def detector() -> Predictor:
    """Finds the patches."""
    task = Detect(width=16, depth=1, side=PATCH / SIDE, threshold=0.3)
    return _taught(untrained(0, task), _boxed(_records()), steps=60)


def _taught(predictor: Predictor, records: list[Record], steps: int) -> Predictor:
    model = predictor.model
    encoded = model.modality.encode([record.input for record in records])
    batch: Batch = collate(model, encoded, records, SIDE * SIDE)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(steps):
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
