"""Views of a row: the same content seen differently. A view of a sequence is really shorter, so that no compute is spent on what it lacks.

Shapes: B rows, *grid the positions of a row, N its axis of a view.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor

from zhuji.core.log import in_language
from zhuji.core.units import Units, UnitSpec
from zhuji.nn.chance import chance, chosen, fingerprint
from zhuji.nn.masking import runs


def _rising(shares: tuple[float, float]) -> tuple[float, float]:
    low, high = shares
    if not 0 < low <= high <= 1:
        raise ValueError(in_language("must be two shares, 0 < low <= high <= 1", "必须为两个比例，0 < 低 <= 高 <= 1"))
    return shares


Shares = Annotated[tuple[float, float], AfterValidator(_rising)]
"""Between which a share is drawn."""
View = Literal["dropout", "crop", "delete", "halves"]


@dataclass(frozen=True)
class Viewing:
    """How the views of a row are made: `crop` for crops and halves, `delete` and `whole_words` for what is left out."""

    kind: View
    crop: tuple[float, float]
    delete: float
    whole_words: bool

    def two(self, units: Units, spec: UnitSpec, *, training: bool) -> tuple[Units, Units | None]:
        """Two views of each row; None where the second is the first once more. While evaluating the first is the row as it is."""
        if self.kind == "dropout":
            return units, units if training else None
        if self.kind == "halves":
            first, second = (self._deleted(side, spec) for side in halved(units, spec, self.crop))
        else:
            first, second = (self.one(units, spec) for _ in range(2))
        return first if training else units, second

    def one(self, units: Units, spec: UnitSpec) -> Units:
        """A random crop, or what a random deletion leaves."""
        return cropped(units, spec, self.crop) if self.kind == "crop" else self._deleted(units, spec)

    def _deleted(self, units: Units, spec: UnitSpec) -> Units:
        return deleted(units, spec, self.delete, self.whole_words)


def cropped(units: Units, spec: UnitSpec, shares: Shares) -> Units:
    """A random span of each row, along every axis of its grid: of the real units a share drawn between the two, at least one."""
    rows, axes = fingerprint(units), len(units.grid)
    draws = chance(torch.ones(len(units), 2 * axes, dtype=torch.bool, device=units.mask.device), rows)
    for axis in range(axes):
        marks = _marks(units, spec) if axes == 1 else None
        real = units.mask.any(2 - axis) if marks is None else units.mask & ~marks
        count = real.sum(1)
        # Sides of the root of a share enclose that share.
        low, high = (share ** (1 / axes) for share in shares)
        length = (count * (low + (high - low) * draws[:, 2 * axis])).round().long().clamp_min(1)
        start = (draws[:, 2 * axis + 1] * (count - length + 1)).long()
        place = real.cumsum(1) - 1
        keep = real & (place >= start[:, None]) & (place < (start + length)[:, None])
        units = gathered(units, keep if marks is None else keep | marks, axis, _room(high, real.shape[1], spec))
    return units


def halved(units: Units, spec: UnitSpec, shares: Shares) -> tuple[Units, Units]:
    """Both sides of one random cut of each row, along the first axis of its grid: of the real units a share drawn between the two, and
    the rest, at least one each; a row of one unit is both. Marks stay on both sides."""
    low, high = shares
    draw = chance(torch.ones(len(units), 1, dtype=torch.bool, device=units.mask.device), fingerprint(units))
    marks = _marks(units, spec) if len(units.grid) == 1 else None
    real = units.mask.flatten(2).any(2) if marks is None else units.mask & ~marks
    count = real.sum(1, keepdim=True)
    cut = (count * (low + (high - low) * draw)).round().long().clamp_min(1).minimum((count - 1).clamp_min(1))
    place = real.cumsum(1)
    sides = (real & (place <= cut), real & ((place > cut) | (count == 1)))
    first, second = (side if marks is None else side | marks for side in sides)
    size = real.shape[1]
    return gathered(units, first, 0, _room(high, size, spec)), gathered(units, second, 0, _room(1 - low, size, spec))


def deleted(units: Units, spec: UnitSpec, rate: float, whole_words: bool) -> Units:
    """A share `rate` of each row's units, or words, is left out; the others move together. On a grid of two axes they stay where they
    are, and what is left out is padding."""
    rows = fingerprint(units)
    draws = chance(units.mask, rows, runs(units, rows, whole_words, None))
    marks = _marks(units, spec)
    places = chosen(draws, units.mask & ~marks, 1 - rate)
    nothing = torch.zeros_like(units.mask)
    keep = places.put(nothing, torch.ones_like(places.valid), len(units.grid))
    # A word longer than all that may stay: then the row stays as it is.
    keep = marks | torch.where(keep.flatten(1).any(1).view(-1, *(1,) * len(units.grid)), keep, units.mask)
    if len(units.grid) > 1:
        return replace(units, mask=keep)
    return gathered(units, keep, 0, _room(1 - rate, units.mask.shape[1], spec))


def gathered(units: Units, keep: Tensor, axis: int, size: int) -> Units:
    """The units at which `keep (B, N)` is True, in order, along that axis of the grid, which becomes `size` long."""
    order = keep.logical_not().to(torch.uint8).argsort(dim=1, stable=True)[:, :size]

    def taken(values: Tensor) -> Tensor:
        shape = list(values.shape)
        shape[axis + 1] = order.shape[1]
        ahead, behind = (1,) * axis, (1,) * (values.ndim - axis - 2)
        return values.gather(axis + 1, order.view(len(order), *ahead, -1, *behind).expand(shape))

    kept = keep.gather(1, order).view(len(order), *(1,) * axis, -1, *(1,) * (units.mask.ndim - axis - 2))
    moved = {f.name: None if (t := getattr(units, f.name)) is None else taken(t) for f in fields(units)}
    shorter = replace(units, **moved)
    return replace(shorter, mask=shorter.mask & kept)


def _marks(units: Units, spec: UnitSpec) -> Tensor:
    """`(B, *grid)`: where a sequence begins and ends."""
    found = torch.zeros_like(units.mask)
    for mark in (spec.start, spec.end):
        if mark is not None and units.ids is not None:
            found = found | (units.ids == mark)
    return found & units.mask


def _room(share: float, size: int, spec: UnitSpec) -> int:
    """Positions in which that share of `size` units, and the marks, have room: fixed by the shape alone."""
    marks = sum(mark is not None for mark in (spec.start, spec.end))
    return min(size, max(1, round(share * size)) + marks)
