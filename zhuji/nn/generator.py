"""The small network that proposes replacements (Clark et al. 2020, section 2). Shapes: B rows, K places, S width of a stem's state,
V ids, W width of the small network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from zhuji.core.units import Features, Units, UnitSpec
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import TransformerBlock
from zhuji.nn.layers import linear, norm
from zhuji.nn.masking import Guess, Hidden, MaskedHead
from zhuji.nn.positions import Rotary, positions
from zhuji.nn.spans import arranged, put_back, spans

_AT_ONCE = 1 << 22
"""Logits that are sampled from at once."""


class Generator(nn.Module):
    """Transformer blocks over the stem's states, which it shares with the encoder, and a masked head over ids."""

    def __init__(self, spec: UnitSpec, width: int, layers: int) -> None:
        super().__init__()
        heads = next(h for h in range(max(1, width // 64), 0, -1) if width % (2 * h) == 0)
        self.masked = MaskedHead(replace(spec, num_values=0), width)
        self.rise = linear(spec.stem_width, width)
        self.head_dim = width // heads
        self.rotary = Rotary(self.head_dim)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, None, 4 * width, feedforward="gelu", norms="layer", dropout=0.0)
            for _ in range(layers)
        )
        self.norm = norm("layer", width)

    def forward(self, stem: Features, units: Units, hidden: Hidden, table: Tensor) -> tuple[Guess, Tensor]:
        """The guess of the hidden units, and their states `(B, K, W)`."""
        features = self.masked.corrupted(stem, hidden)
        states, mask = features.flat()
        segments = None if units.segments is None else units.segments.flatten(1)
        order = spans(states, mask, segments, causal=False, head_dim=self.head_dim)
        may_see = biases(allowed(mask, False, segments)) if order is None else order
        angles = self.rotary.angles(arranged(positions(mask, segments), order))
        states = self.rise(arranged(states, order))
        for block in self.blocks:
            states = block(states, may_see, angles)
        small = replace(features, states=put_back(self.norm(states), order).view(*features.mask.shape, -1))
        return self.masked.guess(small, units, hidden.places, table), hidden.places.of(small.states, features.mask.ndim - 1)

    @torch.no_grad()
    def sampled(self, states: Tensor, draws: Tensor, table: Tensor) -> Tensor:
        """An id for each state `(B, K, W)`, with the probability that the head gives it; `draws (B, K)` in [0, 1) decide. Reserved ids are
        never proposed."""
        assert self.masked.ids is not None
        rows = max(1, _AT_ONCE // len(table))
        found: list[Tensor] = []
        for some, draw in zip(states.flatten(0, 1).split(rows), draws.flatten().split(rows), strict=True):
            logits = self.masked.ids.logits(some, table).float().masked_fill(~self.masked.content.content, -torch.inf)
            below = logits.softmax(-1).cumsum(-1)
            found.append(torch.searchsorted(below, draw[:, None] * below[:, -1:], right=True)[:, 0])
        return torch.cat(found).clamp_max(len(table) - 1).view(draws.shape)
