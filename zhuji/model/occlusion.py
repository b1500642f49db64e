"""How much each part of a picture is missed where it is hidden: occlusion (Zeiler and Fergus 2014, section 4.2), which needs no gradient and tells of
one place of an answer, too.

Shapes: H and W the grid's sides, R and S those of the parts that are hidden, N = R S of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from zhuji.core.answers import About
from zhuji.core.units import Batch, Units
from zhuji.model.assembly import Model
from zhuji.model.predictor import BATCH_UNITS, PIXELS, evaluating

PARTS = 16
"""Parts of the longer side that are hidden in turn: a square of units each, or one unit where the grid has no more."""
METHOD = "occlusion"


@dataclass(frozen=True)
class Occluded:
    """`weights (R, S)` float64: what the number loses where a part is hidden; below zero: what it gains. `value`: the number that the model gives,
    `base` where all is hidden. Parts may say the same or work together, so weights need not add up to `value - base`. `side`: of a part, in units."""

    weights: np.ndarray
    value: float
    base: float
    side: int


def occluded(model: Model, units: Units, about: About) -> Occluded:
    """What is missed of the number that stands for `about` in one row of a picture. Hidden is what has the mean colour of the training pictures,
    which is zero once pictures are normalised."""
    assert units.values is not None, "pictures have values"
    height, width = units.grid
    side = -(-max(height, width) // PARTS)
    rows, columns = -(-height // side), -(-width // side)
    per_batch = max(1, BATCH_UNITS * PIXELS // (height * width))
    with evaluating(model):
        nothing, everything = torch.zeros_like(units.values), units.values
        value, base = _spoken(model, units, torch.cat((everything, nothing)), about).tolist()
        hidden = [
            value - float(number)
            for chunk in _chunks(
                everything, [(row * side, column * side) for row in range(rows) for column in range(columns)], side, per_batch
            )
            for number in _spoken(model, units, chunk, about)
        ]
    return Occluded(np.array(hidden).reshape(rows, columns), value, base, side)


def _chunks(values: Tensor, places: list[tuple[int, int]], side: int, size: int) -> Iterator[Tensor]:
    """`(size, H, W, C)`: the row again and again, each time with another part hidden."""
    for begin in range(0, len(places), size):
        chunk = values.repeat(len(places[begin : begin + size]), 1, 1, 1)
        for number, (top, left) in enumerate(places[begin : begin + size]):
            chunk[number, top : top + side, left : left + side] = 0
        yield chunk


def _spoken(model: Model, units: Units, values: Tensor, about: About) -> Tensor:
    mask = units.mask.expand(len(values), *units.grid)
    outputs = model.outputs(Batch(replace(units, mask=mask, values=values)))
    return model.task.spoken_for(outputs, about).double()
