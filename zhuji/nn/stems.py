"""The first layer: units to states."""

from __future__ import annotations

from torch import nn

from zhuji.core.units import Features, Units
from zhuji.nn.layers import embedding


class IdStem(nn.Module):
    """A vector for each id. `ids (B, *grid)` -> `states (B, *grid, dim)`; padding is zero. Positions belong to the backbone."""

    def __init__(self, num_ids: int, dim: int, padding: int = 0) -> None:
        super().__init__()
        self.padding = padding
        self.table = embedding(num_ids, dim, padding=padding)

    def forward(self, units: Units) -> Features:
        assert units.ids is not None
        ids = units.ids.masked_fill(units.mask.logical_not(), self.padding)
        return Features(self.table(ids), units.mask)
