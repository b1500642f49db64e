"""Where a unit stands. Positions count real units only, so padding moves nobody.

Shapes: B rows, T units, H heads, D width of a state, E width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def positions(mask: Tensor, segments: Tensor | None = None) -> Tensor:
    """`mask (B, T)` -> `(B, T)` int64: 0 for the first real unit of a row, 1 for the next; padding repeats its neighbour. With
    `segments (B, T)` the count begins anew in each; the units of a segment stand together, but for padding."""
    place = (mask.cumsum(1) - 1).clamp_min(0)
    if segments is None:
        return place
    units = torch.arange(mask.shape[1], device=mask.device)
    owner = segments.gather(1, torch.where(mask, units, 0).cummax(1).values)
    changes = F.pad(owner[:, 1:] != owner[:, :-1], (1, 0))
    return place - torch.where(changes, place, 0).cummax(1).values


class Rotary(nn.Module):
    """Rotary positions (Su et al. 2021, section 3.2.2): pair k of a head's E channels turns by position * base^(-2k/E), so
    that the product of a query and a key depends on the distance between them only. Pairs are channels k and k + E/2."""

    frequencies: Tensor

    def __init__(self, head_dim: int, base: float = 10_000.0) -> None:
        super().__init__()
        assert head_dim % 2 == 0, "rotary positions turn pairs of channels"
        exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
        self.register_buffer("frequencies", base**-exponents, persistent=False)

    def angles(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """`position (B, T)` -> cosine and sine, each `(B, 1, T, E/2)` float32."""
        angle = position[:, None, :, None].to(torch.float32) * self.frequencies
        return angle.cos(), angle.sin()


def rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`states (B, H, T, E)` turned by the angles of `Rotary.angles`, which are rounded to the type of the states."""
    first, second = states.chunk(2, dim=-1)
    cosine, sine = cosine.to(states.dtype), sine.to(states.dtype)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


class LearnedPositions(nn.Module):
    """A learned vector for each of `count` positions, added to the state; later units share the last one."""

    def __init__(self, count: int, dim: int, deviation: float = 0.02) -> None:
        super().__init__()
        self.count = count
        self.table = nn.Parameter(torch.randn(count, dim) * deviation)

    def forward(self, states: Tensor, position: Tensor) -> Tensor:
        """`states (B, T, D)`, `position (B, T)` -> `(B, T, D)`."""
        return states + self.table[position.clamp_max(self.count - 1)]


def sinusoids(grid: Sequence[int], dim: int, base: float = 10_000.0) -> Tensor:
    """`(*grid, dim)` float32: each axis of the grid has an equal share of the channels, sines and then cosines of its place times base^(-k / n),
    n of each (Vaswani et al. 2017, section 3.5; on pictures He et al. 2022, section 3). Channels that no axis gets are zero."""
    each = dim // len(grid) // 2
    rates = base ** -(torch.arange(each, dtype=torch.float32) / max(each, 1))
    parts: list[Tensor] = []
    for axis, side in enumerate(grid):
        angle = torch.arange(side, dtype=torch.float32)[:, None] * rates
        shape = [side if other == axis else 1 for other in range(len(grid))]
        parts.append(torch.cat((angle.sin(), angle.cos()), -1).view(*shape, 2 * each).expand(*grid, -1))
    return F.pad(torch.cat(parts, -1), (0, dim - 2 * each * len(grid)))


class LearnedPlaces(nn.Module):
    """A learned vector for each cell of a grid of `rows` by `columns`, added to the state; cells beyond share those of the edge."""

    def __init__(self, rows: int, columns: int, dim: int, deviation: float = 0.02) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(rows, columns, dim) * deviation)

    def forward(self, states: Tensor) -> Tensor:
        """`(B, H, W, D)` -> `(B, H, W, D)`."""
        sides = zip(states.shape[1:3], self.table.shape[:2], strict=True)
        row, column = (torch.arange(side, device=states.device).clamp_max(known - 1) for side, known in sides)
        return states + self.table[row[:, None], column]
