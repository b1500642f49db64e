"""The first layer: units to states."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.layers import embedding, zeroed

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
        if ids.numel() < self.table.num_embeddings:
            return self.table(ids) * self.weight(ids).exp()
        # The same numbers: with more units than ids it is less work to weigh the table.
        return F.embedding(ids, self.table.weight * self.weight.weight.exp(), self.padding)
