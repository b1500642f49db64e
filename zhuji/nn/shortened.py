"""Rows without what is not there in them, while learning as well: a masked autoencoder's encoder computes what is left (He et al. 2022, section 3).

Shapes: B rows, T units of a row, K places of the fullest row, D width of a state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shortened:
    """Rows without what is not there in any of them: the real units of each first, as many places as the fullest row needs. `order (B, K)`
    int64: where in its row each place comes from; `mask (B, K)`: which places are real; None: all of them. `units`: how many a row had."""

    order: Tensor
    mask: Tensor | None
    units: int

    def take(self, states: Tensor) -> Tensor:
        """`(B, T, D)` -> `(B, K, D)`."""
        return states.gather(1, self.order.unsqueeze(-1).expand(-1, -1, states.shape[-1]))

    def put(self, states: Tensor) -> Tensor:
        """`(B, K, D)` -> `(B, T, D)`, zero where nothing is real."""
        states = states if self.mask is None else states.masked_fill(self.mask.logical_not().unsqueeze(-1), 0.0)
        index = self.order.unsqueeze(-1).expand_as(states)
        return states.new_zeros(len(states), self.units, states.shape[-1]).scatter(1, index, states)


def shortened(mask: Tensor) -> Shortened | None:
    """How to leave out what `mask (B, T)` says is not there, learning or not; None where everything is. The device is asked once how
    full rows are. Not while a graph is written out, which must serve any batch."""
    counts = mask.sum(1)
    least, most = torch.stack((counts.min(), counts.max())).tolist()
    if least == mask.shape[1]:
        return None
    kept = max(most, 1)
    order = mask.logical_not().to(torch.uint8).argsort(dim=1, stable=True)[:, :kept]
    return Shortened(order, None if least == kept else mask.gather(1, order), mask.shape[1])
