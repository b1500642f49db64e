"""RandAugment (Cubuk et al. 2020, section 3): a few changes out of fourteen for each picture, all of one strength.

Shapes as in `nn.pictures.places`; values on a scale from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from zhuji.nn.pictures import colours
from zhuji.nn.pictures.places import Marked, about_the_middle, mapped

Change = Callable[[Marked, Tensor], Marked]
"""`(pictures, strength (B,) in [-1, 1])`; changes that have no opposite read how far it is from 0."""


def rand_augment(marked: Marked, count: int, strength: float, chance: Generator) -> Marked:
    """Each row goes through `count` changes, drawn with replacement. `strength` in [0, 1]: that of the paper over 10; the sign is drawn."""
    for _ in range(count):
        rows = len(marked.values)
        which = torch.randint(len(CHANGES), (rows,), generator=chance)
        signs = torch.randint(2, (rows,), generator=chance) * 2.0 - 1.0
        marked = _each(marked, which, signs * strength)
    return marked


def _each(marked: Marked, which: Tensor, strength: Tensor) -> Marked:
    """Rows that drew the same change go through it together."""
    values, boxes, classes = (None if part is None else part.clone() for part in (marked.values, marked.boxes, marked.classes))
    assert values is not None
    for number in which.unique().tolist():
        rows = (which == number).nonzero()[:, 0]
        part = Marked(*(None if each is None else each[rows] for each in (marked.values, marked.boxes, marked.classes)))  # pyright: ignore[reportArgumentType]
        changed = CHANGES[number](part, strength[rows])
        values[rows] = changed.values
        if boxes is not None and classes is not None:
            assert changed.boxes is not None and changed.classes is not None
            boxes[rows], classes[rows] = changed.boxes, changed.classes
    return Marked(values, boxes, classes)


def _recoloured(change: Callable[[Tensor, Tensor], Tensor]) -> Change:
    return lambda marked, strength: replace(marked, values=change(marked.values, strength))


def _linear(marked: Marked, a: Tensor | float, b: Tensor | float, c: Tensor | float, d: Tensor | float) -> Marked:
    rows, height, width, _ = marked.values.shape
    entries = [torch.as_tensor(each, dtype=torch.float32).expand(rows) for each in (a, b, c, d)]
    return mapped(marked, about_the_middle(torch.stack(entries, 1).reshape(rows, 2, 2), height, width))


def _rotated(marked: Marked, strength: Tensor) -> Marked:
    angle = strength * math.radians(30)
    return _linear(marked, angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def _moved(axis: int) -> Change:
    def change(marked: Marked, strength: Tensor) -> Marked:
        rows, height, width, _ = marked.values.shape
        move = torch.zeros(rows, 2)
        move[:, axis] = strength * 0.3
        return mapped(marked, about_the_middle(torch.eye(2).expand(rows, 2, 2), height, width, move))

    return change


def _one(strength: Tensor) -> Tensor:
    return torch.ones_like(strength)


CHANGES: tuple[Change, ...] = (
    lambda marked, strength: marked,
    _recoloured(lambda values, strength: colours.stretched(values)),
    _recoloured(lambda values, strength: colours.equalised(values)),
    _rotated,
    _recoloured(lambda values, strength: colours.solarised(values, 1 - strength.abs())),
    _recoloured(lambda values, strength: colours.coarsened(values, 8 - (4 * strength.abs()).round())),
    _recoloured(
        lambda values, strength: colours.jittered(
            values, brightness=_one(strength), contrast=_one(strength), saturation=1 + 0.9 * strength
        )
    ),
    _recoloured(lambda values, strength: colours.jittered(values, brightness=_one(strength), contrast=1 + 0.9 * strength)),
    _recoloured(lambda values, strength: colours.jittered(values, brightness=1 + 0.9 * strength, contrast=_one(strength))),
    _recoloured(lambda values, strength: colours.sharpened(values, 1 + 0.9 * strength)),
    lambda marked, strength: _linear(marked, 1.0, 0.3 * strength, 0.0, 1.0),
    lambda marked, strength: _linear(marked, 1.0, 0.0, 0.3 * strength, 1.0),
    _moved(0),
    _moved(1),
)
"""Identity, autocontrast, equalise, rotate, solarise, posterise, colour, contrast, brightness, sharpness, shear and translate across and down."""
