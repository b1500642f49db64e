"""The first layer: units to states."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import embedding, linear, zeroed

_SMALL = 0.01


class IdStem(nn.Module):
    """A vector for each id. `ids (B, *grid)` -> `states (B, *grid, dim)`; padding is zero. Positions belong to the backbone.

    `rarity (num_ids,)` gives each id a learned weight as well, which begins at exp(rarity). The vectors then begin small: in an average
    an id seen once must not speak louder than what it has been taught. `padding` is the id that pads; None: padding takes any id.
    """

    def __init__(self, num_ids: int, dim: int, padding: int | None = 0, rarity: np.ndarray | None = None) -> None:
        super().__init__()
        self.padding = padding
        self.table = embedding(num_ids, dim, padding=padding, deviation=None if rarity is None else _SMALL)
        self.weight = None if rarity is None else nn.Embedding.from_pretrained(torch.tensor(rarity)[:, None], freeze=False)

    def forward(self, units: Units) -> Features:
        assert units.ids is not None
        ids = units.ids.masked_fill(units.mask.logical_not(), self.padding or 0)
        states = self._weighed(ids)
        return Features(states if self.padding is not None else zeroed(states, units.mask), units.mask, units.segments)

    def _weighed(self, ids: Tensor) -> Tensor:
        if self.weight is None:
            return self.table(ids)
        # An exported network is one for all sizes.
        if torch.compiler.is_exporting() or ids.numel() < self.table.num_embeddings:
            return self.table(ids) * self.weight(ids).exp()
        # The same numbers: with more units than ids it is less work to weigh the table.
        return F.embedding(ids, self.table.weight * self.weight.weight.exp(), self.padding)


class PartsStem(nn.Module):
    """A unit's vector is the sum of those of its id and of its parts, out of one table (Bojanowski et al. 2017, section 3.2). `ids (B, T)` and
    `parts (B, T, K)` -> `states (B, T, dim)`; the id 0 adds nothing, and padding is zero.

    While learning, a share `leave_out` of ids and parts is left out, so that none is relied on alone, and `dropout` of the numbers.
    """

    def __init__(self, num_ids: int, dim: int, parts: int, *, leave_out: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = embedding(num_ids, dim, padding=0, deviation=(dim * (1 + parts)) ** -0.5)
        self.leave_out = leave_out
        self.dropout = Dropout(dropout)

    def forward(self, units: Units) -> Features:
        assert units.ids is not None and units.parts is not None
        known = torch.cat((units.ids.unsqueeze(-1), units.parts), -1).masked_fill(units.mask.logical_not().unsqueeze(-1), 0)
        if self.training and self.leave_out:
            known = known.masked_fill(torch.rand(known.shape, device=known.device) < self.leave_out, 0)
        states = self._summed(known.flatten(0, -2))
        return Features(self.dropout(states).view(*units.mask.shape, -1), units.mask, units.segments)

    def _summed(self, known: Tensor) -> Tensor:
        """`(B * T, 1 + K)` -> `(B * T, dim)`."""
        if torch.compiler.is_exporting():
            # The same sum in operations that every format has.
            return (F.embedding(known, self.table.weight) * (known != 0).unsqueeze(-1)).sum(1)
        return F.embedding_bag(known, self.table.weight, mode="sum", padding_idx=0)


class ValueStem(nn.Module):
    """`values (B, *grid, C)` -> `states (B, *grid, dim)`; padding is zero. `as_they_are`: where C is `dim`, nothing is learned."""

    def __init__(self, num_values: int, dim: int, *, as_they_are: bool) -> None:
        super().__init__()
        self.map = nn.Identity() if as_they_are and dim == num_values else linear(num_values, dim)

    def forward(self, units: Units) -> Features:
        assert units.values is not None
        return Features(zeroed(self.map(units.values), units.mask), units.mask, units.segments)
