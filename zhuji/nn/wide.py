"""A linear layer over the runs of units that a row holds, counted as a search engine counts words: the wide half of a wide and deep
network (Cheng et al. 2016). It answers as a linear model over TF-IDF would. Shapes: B rows, N units, F runs of a row, O outputs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import islice
from unicodedata import east_asian_width

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.heads import PooledHead

_PRIME = 0x9E3779B97F4A7C15 - (1 << 64)
"""Spreads keys over all 64 bits (Knuth 1998, section 6.4: multiplicative hashing by the golden ratio)."""


LETTERS, SYLLABLES = (3, 4, 5), (1, 2, 3)
"""Lengths of the runs of characters that are told apart: of letters, and of characters that stand for more, as in Chinese."""
MOST_PARTS = 24
"""Runs of characters kept of a unit, the short ones first: all that a unit of eleven characters has."""


class WideLinear(nn.Module):
    """`Units -> (B, O)`. Runs of 1 to `longest` units share `buckets` weights by a hash of their ids (Weinberger et al. 2009). A run that
    stands c times counts (1 + ln c) x its rarity, and a row's values have length 1 together. All weights begin at 0.

    With `spelled`, the number of ids, the runs of characters inside each unit count as well (Bojanowski et al. 2017, section 3.2): `spelling
    (spelled, 24)` holds their buckets, -1 where there are fewer; see `spelt`. Each
    kind has a length of its own, runs of characters `loudness` times that of runs of units: they are many, and each says less. A row without
    runs of one kind is shorter by that much."""

    rarity: Tensor
    spelling: Tensor | None

    def __init__(self, buckets: int, outputs: int, longest: int, spelled: int = 0, loudness: float = 1.0) -> None:
        super().__init__()
        self.buckets, self.longest = buckets, longest
        self.shares = shares(loudness) if spelled else (1.0,)
        self.weight = nn.Parameter(torch.zeros(buckets, outputs))
        self.register_buffer("rarity", torch.ones(buckets))
        unknown = torch.full((spelled, MOST_PARTS), -1, dtype=torch.int32) if spelled else None
        self.register_buffer("spelling", unknown)

    def forward(self, units: Units) -> Tensor:
        buckets, values = self.values(units)
        return F.embedding_bag(buckets, self.weight, per_sample_weights=values.to(self.weight.dtype), mode="sum")

    def values(self, units: Units) -> tuple[Tensor, Tensor]:
        """`(B, F)` int64 buckets and `(B, F)` what each occurrence adds; 0 where there is no run."""
        kinds = [(buckets, share * values) for (buckets, values), share in zip(self.kinds(units), self.shares, strict=True)]
        return torch.cat([buckets for buckets, _ in kinds], 1), torch.cat([values for _, values in kinds], 1)

    def kinds(self, units: Units) -> list[tuple[Tensor, Tensor]]:
        """The same of runs of units and, where they count, of characters, each of length 1 together."""
        return [self._valued(*counts) for counts in self.counts(units)]

    def counts(self, units: Units) -> list[tuple[Tensor, Tensor]]:
        """Of each kind: `(B, F)` int64 buckets in order, and `(B, F)` how often each stands in its row; 0 where there is no run."""
        return [self._counted(*kind) for kind in self.runs(units)]

    def told(self, units: Units, towards: Tensor) -> Tensor:
        """`(B, N)`: what each unit's runs add to the outputs, these weighed by `towards (O,)`: of a run of several units each has an equal
        share. A row's sum is `forward(units) @ towards`."""
        worth = self.weight.detach().float() @ towards.float()
        added = torch.zeros(units.mask.flatten(1).shape, device=worth.device)
        for kind, ((buckets, real), (known, values)) in enumerate(zip(self.runs(units), self.kinds(units), strict=True)):
            # The same runs, once in the order of their places and once in that of their buckets: a run adds the same wherever it stands.
            each = torch.zeros(len(added), self.buckets, device=worth.device).scatter_reduce_(1, known, values.float(), "amax")
            runs = each.gather(1, buckets) * worth[buckets] * real * self.shares[kind]
            if kind:
                added += runs.unflatten(1, (added.shape[1], -1)).sum(2)
                continue
            for size, of_size in enumerate(runs.split([added.shape[1] - less for less in range(self._sizes(added))], 1), 1):
                for place in range(size):
                    added[:, place : place + of_size.shape[1]] += of_size / size
        return added

    def _sizes(self, units: Tensor) -> int:
        return max(min(self.longest, units.shape[1]), 1)

    def _valued(self, buckets: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        whole = (1 + count.clamp_min(1).log()) * self.rarity[buckets] * (count > 0)
        share = count.clamp_min(1)
        length = (whole.square() / share).sum(1, keepdim=True).sqrt().clamp_min(1e-12)
        return buckets, whole / share / length

    def _counted(self, buckets: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        order = buckets.masked_fill(real.logical_not(), self.buckets).sort(dim=1).values
        fresh = F.pad(order[:, 1:] != order[:, :-1], (1, 0))
        place = fresh.cumsum(1)
        count = torch.zeros_like(order).scatter_add_(1, place, torch.ones_like(order)).gather(1, place)
        nothing = order == self.buckets
        return order.masked_fill(nothing, 0), count.masked_fill(nothing, 0)

    def runs(self, units: Units) -> list[tuple[Tensor, Tensor]]:
        """Of each kind: `(B, F)` int64 buckets, and whether each run consists of real units."""
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
        found = [((torch.cat(keys, 1) >> 24).remainder(self.buckets), torch.cat(reals, 1))]
        if self.spelling is None:
            return found
        parts = self.spelling[units.ids.flatten(1).masked_fill(~reals[0], 0)].long()
        inside = (parts >= 0) & reals[0].unsqueeze(-1)
        return [*found, (parts.clamp_min(0).flatten(1), inside.flatten(1))]


def spelt(texts: Sequence[str], buckets: int) -> Tensor:
    """`(len(texts), 24)` int32: the buckets of the runs of characters in each, -1 where there are fewer. A blank counts as a character: it
    says where a word begins."""
    table = np.full((len(texts), MOST_PARTS), -1, np.int32)
    for row, text in zip(table, texts, strict=True):
        sizes = SYLLABLES if any(east_asian_width(character) in "WF" for character in text) else LETTERS
        parts = (text[at : at + size] for size in sizes for at in range(len(text) - size + 1))
        found = [zlib.crc32(part.encode("utf-8", "replace")) % buckets for part in islice(parts, MOST_PARTS)]
        row[: len(found)] = found
    return torch.from_numpy(table)


def shares(loudness: float) -> tuple[float, float]:
    """Of runs of units and of characters in a row's length of 1, where the latter are `loudness` times as loud."""
    whole = math.hypot(1.0, loudness)
    return 1 / whole, loudness / whole


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
