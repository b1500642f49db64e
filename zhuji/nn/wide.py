"""A linear layer over the runs of units that a row holds, counted as a search engine counts words: the wide half of a wide and deep
network (Cheng et al. 2016). It answers as a linear model over TF-IDF would. Shapes: B rows, N units, F runs of a row, O outputs.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.heads import PooledHead

_PRIME = 0x9E3779B97F4A7C15 - (1 << 64)
"""Spreads keys over all 64 bits (Knuth 1998, section 6.4: multiplicative hashing by the golden ratio)."""


class WideLinear(nn.Module):
    """`Units -> (B, O)`. Runs of 1 to `longest` units share `buckets` weights by a hash of their ids (Weinberger et al. 2009). A run that
    stands c times counts (1 + ln c) x its rarity, and a row's values have length 1 together. All weights begin at 0."""

    rarity: Tensor

    def __init__(self, buckets: int, outputs: int, longest: int) -> None:
        super().__init__()
        self.buckets, self.longest = buckets, longest
        self.weight = nn.Parameter(torch.zeros(buckets, outputs))
        self.register_buffer("rarity", torch.ones(buckets))

    def forward(self, units: Units) -> Tensor:
        buckets, values = self.values(units)
        return F.embedding_bag(buckets, self.weight, per_sample_weights=values.to(self.weight.dtype), mode="sum")

    def values(self, units: Units) -> tuple[Tensor, Tensor]:
        """`(B, F)` int64 buckets and `(B, F)` what each occurrence adds; 0 where there is no run."""
        buckets, real = self.runs(units)
        order = buckets.masked_fill(real.logical_not(), self.buckets).sort(dim=1).values
        fresh = F.pad(order[:, 1:] != order[:, :-1], (1, 0))
        place = fresh.cumsum(1)
        real = order < self.buckets
        count = torch.zeros_like(order).scatter_add_(1, place, torch.ones_like(order)).gather(1, place)
        buckets = order.masked_fill(real.logical_not(), 0)
        whole = ((1 + count.log()) * self.rarity[buckets]).masked_fill(real.logical_not(), 0.0)
        length = (whole.square() / count).sum(1, keepdim=True).sqrt().clamp_min(1e-12)
        return buckets, whole / count / length

    def runs(self, units: Units) -> tuple[Tensor, Tensor]:
        """`(B, F)` int64 buckets of all runs, and whether each consists of real units."""
        assert units.ids is not None, "runs are runs of ids"
        ids, mask = units.ids.flatten(1), units.mask.flatten(1)
        key, real = (ids + 1) * _PRIME, mask
        keys, reals = [key], [real]
        for _ in range(1, min(self.longest, ids.shape[1])):
            ids, mask = ids[:, 1:], mask[:, 1:]
            key, real = (key[:, :-1] + ids + 1) * _PRIME, real[:, :-1] & mask
            keys.append(key)
            reals.append(real)
        # The high bits are the well mixed ones.
        return (torch.cat(keys, 1) >> 24).remainder(self.buckets), torch.cat(reals, 1)


def rarities(having: np.ndarray, rows: int) -> np.ndarray:
    """ln((1 + rows) / (1 + rows that have it)) + 1: the smoothed inverse document frequency (Sparck Jones 1972)."""
    return np.log((1 + rows) / (1 + having)) + 1


class WideHead(nn.Module):
    """The pooled answer plus that of the runs: `(B, O)`."""

    def __init__(self, deep: PooledHead, wide: WideLinear) -> None:
        super().__init__()
        self.deep, self.wide = deep, wide

    def forward(self, features: Features, units: Units) -> Tensor:
        return self.deep(features) + self.wide(units)
