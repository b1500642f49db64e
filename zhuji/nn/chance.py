"""Draws that depend on what a unit is and where it stands, not on padding and not on which rows share its batch.

Each draw hashes a number from torch's generator, the row's fingerprint and the unit's number in its row. So the same seed hides the same
units of a row however rows are padded and cut into batches. Shapes: B rows, N units of the flattened grid, K chosen places, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zhuji.core.units import Units

_ODD = 0x9E3779B97F4A7C15 - 2**64
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


@dataclass(frozen=True)
class Places:
    """Units chosen in each row: `index (B, K)` int64 into the flattened grid, all of a row different; `valid (B, K)` says which of them
    count, because a short row has fewer than K."""

    index: Tensor
    valid: Tensor

    def of(self, values: Tensor, axes: int = 1) -> Tensor:
        """What `values (B, *grid, …)`, with `axes` of grid, holds at the places: `(B, K, …)`."""
        flat = values.flatten(1, axes)
        index = self.index.reshape(*self.index.shape, *(1,) * (flat.ndim - 2))
        return flat.gather(1, index.expand(*self.index.shape, *flat.shape[2:]))

    def put(self, values: Tensor, new: Tensor, axes: int = 1) -> Tensor:
        """`values (B, *grid, …)` with `new (B, K, …)` at the valid places."""
        flat = values.flatten(1, axes)
        index = self.index.reshape(*self.index.shape, *(1,) * (flat.ndim - 2)).expand_as(new)
        valid = self.valid.reshape(*self.valid.shape, *(1,) * (flat.ndim - 2))
        # Where a place is not valid it gets back what it had: shapes stay fixed and the device is not asked.
        kept = torch.where(valid, new.to(flat.dtype), flat.gather(1, index))
        return flat.scatter(1, index, kept).view(values.shape)


def numbered(mask: Tensor) -> Tensor:
    """`mask (B, *grid)` -> `(B, *grid)` int64: 0 for the first real unit of a row, 1 for the next."""
    return (mask.flatten(1).cumsum(1) - 1).view(mask.shape)


def fingerprint(units: Units) -> Tensor:
    """`(B,)` int64: equal for rows of equal real units, different for others but for one chance in 2^64."""
    axes = len(units.grid)
    content = _mixed(numbered(units.mask) * _ODD)
    if units.ids is not None:
        ids = units.ids + 1
        content = _mixed(content + (ids if units.ids_mask is None else ids.masked_fill(~units.ids_mask, 0)))
    if units.values is not None:
        values = units.values.float()
        values = values if units.values_mask is None else values.masked_fill(~units.values_mask.unsqueeze(-1), 0.0)
        channel = _mixed(torch.arange(1, values.shape[-1] + 1, device=values.device)) | 1
        content = _mixed(content + (values.contiguous().view(torch.int32).long() * channel).sum(-1))
    return _mixed(content.masked_fill(~units.mask, 0).flatten(1, axes).sum(1))


def chance(mask: Tensor, rows: Tensor | None = None, numbers: Tensor | None = None) -> Tensor:
    """`mask (B, *grid)` -> `(B, *grid)` float32, uniform in [0, 1).

    `rows (B,)` int64 tell rows apart (`fingerprint`; None: by their place in the batch), `numbers (B, *grid)` int64 the units of a row
    (None: counting the real ones): units of one number get one draw, such as the pieces of a word. Every call draws anew.
    """
    seed = torch.randint(2**62, (), device=mask.device)
    rows = torch.arange(len(mask), device=mask.device) if rows is None else rows
    numbers = numbered(mask) if numbers is None else numbers
    keys = _mixed(seed + _mixed(rows)).view(-1, *(1,) * (mask.ndim - 1))
    return (_mixed(keys + numbers * _ODD) >> 40 & 0xFFFFFF).float() * 2.0**-24


def settled_noise(rows: Tensor, numbers: int) -> Tensor:
    """`rows (B,)` int64 (`fingerprint`) -> `(B, numbers)` float32, normal of deviation 1: of a row always the same, and nothing is drawn (Box &
    Muller 1958)."""
    places = torch.arange(1, 2 * numbers + 1, device=rows.device) * _ODD
    bits = _mixed(_mixed(rows)[:, None] + places) >> 40 & 0xFFFFFF
    first, second = ((bits.double() + 0.5) * 2.0**-24).chunk(2, 1)
    return ((-2 * first.log()).sqrt() * (2 * torch.pi * second).cos()).float()


def noise(mask: Tensor, rows: Tensor, channels: int) -> Tensor:
    """`(B, *grid, C)` float32, normal of deviation 1: a number for each channel of each unit, drawn as `chance` draws (Box & Muller 1958)."""
    every = mask.unsqueeze(-1).expand(*mask.shape, channels)
    first, second = (chance(every, rows) for _ in range(2))
    return (-2 * (1 - first).log()).sqrt() * (2 * torch.pi * second).cos()


def chosen(draws: Tensor, eligible: Tensor, rate: float, *, least: int = 1) -> Places:
    """Of each row's `eligible (B, *grid)` units those with the highest draws: round(rate * eligible), at least `least` if there are so
    many. Units of equal draw are taken all or none, so what must stay together is chosen whole or, where it does not fit, not at all."""
    possible, size = eligible.flatten(1), eligible[0].numel()
    capacity = min(size, max(least, round(rate * size)))
    # One more column: there is always a first draw that is not taken.
    ranked = F.pad(draws.flatten(1).masked_fill(~possible, -1.0), (0, 1), value=-2.0)
    top, index = ranked.topk(capacity + 1, dim=1)
    count = (possible.sum(1, keepdim=True).double() * rate).round().long().clamp(least, capacity)
    refused = top.gather(1, count).clamp_min(-1.0)
    return Places(index[:, :capacity], top[:, :capacity] > refused)


def _mixed(numbers: Tensor) -> Tensor:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014, figure 10); products wrap around."""
    numbers = (numbers ^ (numbers >> 30 & (1 << 34) - 1)) * _FIRST
    numbers = (numbers ^ (numbers >> 27 & (1 << 37) - 1)) * _SECOND
    return numbers ^ (numbers >> 31 & (1 << 33) - 1)
