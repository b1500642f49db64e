"""Rows that were encoded without some of their units, restored by a small decoder (He et al. 2022, section 3).

Shapes: B rows, *grid the positions of a row, N units of the flattened grid, D width of the encoder's states, E of the decoder's.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import TransformerBlock, stacked
from zhuji.nn.chance import Places
from zhuji.nn.layers import linear, norm, zeroed
from zhuji.nn.positions import sinusoids


def without(features: Features, places: Places) -> Features:
    """Features of which the units at `places` are not there, as if they were padding."""
    axes = features.mask.ndim - 1
    mask = places.put(features.mask, torch.zeros_like(places.valid), axes)
    return replace(features, states=zeroed(features.states, mask), mask=mask)


class Restorer(nn.Module):
    """States of what was encoded, and one learned vector for each unit that was not, through blocks in which all see all; units know where
    they stand by sinusoids. `(B, *grid, D)` -> `(B, *grid, E)`."""

    def __init__(self, dim: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.entry = linear(dim, width)
        self.blank = nn.Parameter(torch.randn(width) * width**-0.5)
        self.blocks = stacked(layers, lambda gain: TransformerBlock(
            width, heads, None, 4 * width, feedforward="gelu", norms="layer", dropout=0.0, gain=gain
        ))  # fmt: skip
        self.norm = norm("layer", width)

    def forward(self, features: Features, units: Units) -> Tensor:
        """`features` of what was encoded, of the grid of all `units`."""
        known = self.entry(features.states)
        states = torch.where(features.mask.unsqueeze(-1), known, self.blank.to(known.dtype))
        states = states + sinusoids(units.grid, states.shape[-1]).to(states.device)
        segments = None if units.segments is None else units.segments.flatten(1)
        may_see = biases(allowed(units.mask.flatten(1), False, segments))
        rows = states.flatten(1, -2)
        for block in self.blocks:
            rows = block(rows, may_see)
        return self.norm(rows).view(states.shape)
