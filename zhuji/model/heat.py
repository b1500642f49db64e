"""Which parts of a picture speak for an answer, as a map over it: integrated gradients for a class or a number, occlusion for an object.

Shapes: R and S rows and columns of a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zhuji.core.answers import About, Prediction
from zhuji.core.contracts import Encoded
from zhuji.core.records import Box, Picture, Record
from zhuji.core.units import Units
from zhuji.data.pictures import quietly, size_of
from zhuji.model import attribution, occlusion
from zhuji.model.assembly import collate
from zhuji.model.predictor import Predictor, padded

FINEST = 64
"""Cells of a map's longer side at most: more of them are added up, for nobody reads a weight of one pixel of a photograph."""


@dataclass(frozen=True)
class Heat:
    """An answer and what in the picture speaks for it.

    `about`: the class, the number or the object's class that is explained; `of`: of an object, its number among the answers, from 1 on. `map (R, S)`
    float64: what each cell adds, below zero: takes; `covers`: where the map lies (left, top, right, bottom in pixels of the upright picture, whose width
    and height are `size`): beyond the picture where a margin was put around it, within it where edges were cut off. `value`: the number that stands
    for the answer (log-odds of a class, a number itself; of an object how much it is said to stand there, in [0, 1]), `base` that of a picture of
    the mean colour alone. By integrated gradients the map and `rest`, which belongs to the margin, add up to their difference but for `gap`, which
    is small where the explanation is `complete`; occlusion promises no sum, and `complete` is None. `cut`: units that were cut off.
    """

    prediction: Prediction
    about: str
    of: str
    map: np.ndarray
    covers: tuple[float, float, float, float]
    size: tuple[int, int]
    rest: float
    value: float
    base: float
    complete: bool | None
    cut: int
    method: str
    steps: int

    @property
    def gap(self) -> float:
        return self.value - self.base - self.rest - float(self.map.sum())

    def coarse(self, sides: int) -> np.ndarray:
        """`(sides, sides)`: the weights of as many parts of the picture, each cell counting where its middle lies."""
        left, top, right, bottom = self.covers
        rows, columns = self.map.shape
        x = (left + (np.arange(columns) + 0.5) * (right - left) / columns) / self.size[0]
        y = (top + (np.arange(rows) + 0.5) * (bottom - top) / rows) / self.size[1]
        across, down = (np.clip((place * sides).astype(int), 0, sides - 1) for place in (x, y))
        found = np.zeros((sides, sides))
        np.add.at(found, (down[:, None], across[None]), self.map)
        return found

    def as_dict(self) -> dict[str, Any]:
        return {
            "prediction": list(self.prediction.answer) if isinstance(self.prediction.answer, tuple) else self.prediction.answer,
            "score": self.prediction.score, "about": self.about, "of": self.of, "map": self.map.tolist(), "covers": list(self.covers),
            "size": list(self.size), "rest": self.rest, "value": self.value, "base": self.base, "gap": self.gap,
            "complete": self.complete, "cut": self.cut, "method": self.method, "steps": self.steps,
        }  # fmt: skip


def heat(predictor: Predictor, raw: Any, about: str | None = None) -> Iterator[Heat]:
    """What speaks for each class that was answered, for the number, for the surest object; or for what is `about`: a class, or the number of an
    object. Raises UnknownName, PictureError."""
    model, picture = predictor.model, Picture.of(raw)
    prediction = next(predictor.predict([picture]))
    with quietly():
        size = size_of(picture)
    (row,) = model.modality.encode([picture])
    units = collate(model, [row], None, padded(row.length)).to(predictor.device).units
    for one in model.task.abouts(prediction, about):
        yield _heat(predictor, _Shown(prediction, row, units, size), one)


@dataclass(frozen=True)
class _Shown:
    prediction: Prediction
    row: Encoded
    units: Units
    size: tuple[int, int]


def _heat(predictor: Predictor, shown: _Shown, about: About) -> Heat:
    model, row = predictor.model, shown.row
    covers, cells = model.modality.covers(row), shown.units.grid
    if about.box is None:
        found = attribution.attributed(model, shown.units, about)
        weights, side = summed(found.weights.reshape(cells), -(-max(cells) // FINEST))
        told: tuple[Any, ...] = found.value, found.base, found.complete
        method, steps, of = attribution.METHOD, found.points, ""
    else:
        left_out = occlusion.occluded(model, shown.units, _placed(predictor, row, about))
        weights, side, told = left_out.weights, left_out.side, (left_out.value, left_out.base, None)
        method, steps, of = occlusion.METHOD, weights.size, str(about.first + 1)
    covers = _reaching(covers, cells, (weights.shape[0] * side, weights.shape[1] * side))
    inside = _inside(weights.shape, covers, shown.size)
    # What occlusion loses in a margin is no part of a sum.
    rest = float(weights[~inside].sum()) if about.box is None else 0.0
    value, base, complete = told
    return Heat(
        shown.prediction, about.name, of, np.where(inside, weights, 0.0), covers, shown.size, rest, value, base, complete, row.cut, method, steps
    )  # fmt: skip


def _placed(predictor: Predictor, row: Encoded, about: About) -> About:
    """With its box as fractions of the grid, as the task has it."""
    assert about.box is not None
    record = predictor.model.modality.placed(Record("", None, label=(Box(about.name, *about.box),)), row)
    (box,) = [part for part in record.label if isinstance(part, Box)] if isinstance(record.label, tuple) else []
    return replace(about, box=(box.left, box.top, box.right, box.bottom))


def summed(weights: np.ndarray, side: int) -> tuple[np.ndarray, int]:
    """Squares of `side` cells added up, `(⌈R / side⌉, ⌈S / side⌉)`; those at the right and below may be of fewer cells."""
    rows, columns = (-(-length // side) for length in weights.shape)
    whole = np.zeros((rows * side, columns * side))
    whole[: weights.shape[0], : weights.shape[1]] = weights
    return whole.reshape(rows, side, columns, side).sum((1, 3)), side


def _reaching(covers: Sequence[float], cells: Sequence[int], reach: Sequence[int]) -> tuple[float, float, float, float]:
    """Where a grid lies that goes on to the right and below until it has `reach` cells."""
    left, top, right, bottom = covers
    return left, top, left + (right - left) * reach[1] / cells[1], top + (bottom - top) * reach[0] / cells[0]


def _inside(shape: Sequence[int], covers: Sequence[float], size: Sequence[int]) -> np.ndarray:
    """`(R, S)` bool: of which cells at least a little lies in the picture."""
    left, top, right, bottom = covers
    x, y = np.linspace(left, right, shape[1] + 1), np.linspace(top, bottom, shape[0] + 1)
    slight = 1e-3 * (right - left) / shape[1]
    columns = (x[1:] > slight) & (x[:-1] < size[0] - slight)
    rows = (y[1:] > slight) & (y[:-1] < size[1] - slight)
    return rows[:, None] & columns[None]
