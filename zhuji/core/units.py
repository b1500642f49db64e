"""The two types that cross the shelves, and what travels with them.

Shapes: B rows, *grid the positions of a row ((T,) for text, speech and table cells, (H, W) for images), C channels of a
value, D width of a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from zhuji.core.framing import Frames


@dataclass(frozen=True)
class UnitSpec:
    """What a modality's units look like: how many grid axes, how many distinct ids, how many channels of a value.

    `start`, `end`: ids with which a generated sequence begins and ends; `mask`: the id that stands for a hidden unit; `reserved`: ids
    that carry no content, so that objectives neither hide nor predict them. `stem_width`: D of a unit's state as the stem gives it,
    `grid`: that of every row, None where rows differ, `stride`: of how many units of a row the backbone keeps one, 0 where that depends on the row; the
    assembly fills these in for the task's head.
    `rate`: samples a second, of units whose values are samples of a sound, one behind the other from unit to unit; 0: values are something else.
    `frames`: of units that are log-mel frames of a sound as it is, how they were made; None: they are something else.
    """

    grid_ndim: int
    num_ids: int = 0
    num_values: int = 0
    start: int | None = None
    end: int | None = None
    mask: int | None = None
    reserved: tuple[int, ...] = ()
    stem_width: int = 0
    grid: tuple[int, ...] | None = None
    stride: int = 1
    rate: int = 0
    frames: Frames | None = None


@dataclass(frozen=True)
class Units:
    """What a modality makes of raw rows. `ids (B, *grid)` int64 and/or `values (B, *grid, C)` float32.

    `mask (B, *grid)` is True where a unit is real; `ids_mask` and `values_mask (B, *grid)` say which of the two a cell of a
    table holds (None: wherever `mask` is True).

    `segments (B, *grid)` int64 tells the documents of a packed row apart: units of different numbers must not see each other
    (None: a row is one document). `words (B, *grid)` int64 is the number, in its row, of the word that a unit is a piece of, -1 for
    padding and for units that belong to no word (None: every unit is a word of its own). `parts (B, *grid, K)` int64 are further ids of the
    same table by which a unit is known, such as how a word is written; 0 stands for none (None: units have their ids alone).
    """

    mask: Tensor
    ids: Tensor | None = None
    values: Tensor | None = None
    ids_mask: Tensor | None = None
    values_mask: Tensor | None = None
    segments: Tensor | None = None
    words: Tensor | None = None
    parts: Tensor | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(self.mask.shape[1:])

    def __len__(self) -> int:
        return self.mask.shape[0]

    def to(self, device: torch.device | str) -> Self:
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: None if t is None else t.to(device, non_blocking=True) for k, t in moved.items()})


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as its modality encoded it: `ids (*grid)` int32 and/or `values (*grid, C)` float32 or uint8 (pixels), the number of units that
    were cut off because the row was too long, and where units have them `words (*grid)` and `parts (*grid, K)` int32 as in `Units`. `frame (4,)`
    float32 of a picture: scale_x, scale_y, offset_x, offset_y, so that x * scale_x + offset_x is a place in the resized picture; `(1,)` of a sound that was
    trimmed: seconds that were left out before it."""

    ids: np.ndarray | None = None
    values: np.ndarray | None = None
    cut: int = 0
    words: np.ndarray | None = None
    parts: np.ndarray | None = None
    frame: np.ndarray | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        if self.ids is not None:
            return self.ids.shape
        assert self.values is not None
        return self.values.shape[:-1]

    @property
    def length(self) -> int:
        """Number of units kept."""
        return int(np.prod(self.grid))


@dataclass(frozen=True)
class Features:
    """What stems and backbones exchange: `states (B, *grid, D)`, `mask (B, *grid)`, and `segments` as in `Units`.

    A backbone that strides changes the grid and the mask together; lengths always come from `mask`. `summary (B, D)`: of a backbone that
    keeps a state for the row as a whole beside those of its units (a class token), that state. `given (B, D)`, of the width that a backbone
    gives: what the task tells it of the row as a whole, such as how noisy it is; only of a task that `tells`.
    """

    states: Tensor
    mask: Tensor
    segments: Tensor | None = None
    summary: Tensor | None = None
    given: Tensor | None = None

    def flat(self) -> tuple[Tensor, Tensor]:
        """`(B, N, D)` and `(B, N)`: the grid unrolled row by row."""
        rows, dim = self.states.shape[0], self.states.shape[-1]
        return self.states.reshape(rows, -1, dim), self.mask.reshape(rows, -1)


@dataclass(frozen=True)
class Batch:
    """Units and the task's targets, by name; every target's first axis is the row. `other`: of a paired task, the units of each
    row's second input."""

    units: Units
    targets: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    other: Units | None = None

    def __len__(self) -> int:
        return len(self.units)

    def to(self, device: torch.device | str) -> Self:
        targets = {k: t.to(device, non_blocking=True) for k, t in self.targets.items()}
        other = None if self.other is None else self.other.to(device)
        return replace(self, units=self.units.to(device), targets=targets, other=other)


@dataclass(frozen=True)
class Wanted:
    """Rows that a task shall draw, N of them. `seeds`: of each row, all that chance puts into it, so that a row is the same whatever is drawn
    beside it. `labels`: the class of each; None: of no class, or the task has none. `steps` and `guidance`: None: as the task has them."""

    seeds: Sequence[int]
    labels: Sequence[str] | None = None
    steps: int | None = None
    guidance: float | None = None

    def noise(self, *shape: int) -> Tensor:
        """`(N, *shape)` float32, normal of deviation 1, drawn on the CPU: the same on every device."""
        drawn = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in self.seeds]
        return torch.stack(drawn) if drawn else torch.zeros(0, *shape)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A sum and what it is a sum over: a loss that adds up the same however rows are cut into batches or ranks.

    `total` () float32 keeps its graph; `count` () float32 or int64 does not.
    """

    total: Tensor
    count: Tensor

    def mean(self) -> Tensor:
        return self.total / self.count.clamp_min(1e-12)

    def plus(self, other: Ratio) -> Ratio:
        return Ratio(self.total + other.total, self.count + other.count)
