"""Conformer (Gulati et al. 2020): attention for what lies far away and convolution for what lies near, over a grid that is made coarser first.

Shapes: B rows, T units, D width of a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import nn

from zhuji.backbones._blocks import Blocks
from zhuji.core.rules import even_heads
from zhuji.core.units import Features
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import stacked
from zhuji.nn.conformer import ConformerBlock
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import linear, zeroed
from zhuji.nn.positions import Rotary, positions


class Conformer(Blocks):
    """Speech has a hundred frames a second and some ten letters: two convolutions of stride 2 keep every fourth frame, and blocks of a conformer follow.

    Where the paper has sinusoids of distances (Dai et al. 2019), positions are rotary, which know distances only as well.
    """

    grids: ClassVar[tuple[int, ...]] = (1,)

    width: int = Field(default=144, gt=0)
    layers: int = Field(default=8, gt=0)
    heads: int = Field(default=4, gt=0)
    window: int = Field(default=15, gt=0)
    """Units that the convolution of a block sees."""
    subsample: Literal[1, 2, 4, 8] = 4
    """Of so many units one is kept; 1: all are, and there is no convolution before the blocks."""
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_turn(self) -> Self:
        even_heads(self.width, self.heads)
        return self

    @property
    def stride(self) -> int:
        return self.subsample

    def body(self, causal: bool) -> nn.Module:
        return _Body(self, causal)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """What is done before the blocks, then each block."""
        assert isinstance(body, _Body)
        return [nn.ModuleList((*body.shorter, body.enter)), *body.blocks]

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, layers=2, heads=2, hidden=12, window=3, subsample=2, dropout=0.0)


class _Body(nn.Module):
    def __init__(self, conformer: Conformer, causal: bool) -> None:
        super().__init__()
        c = conformer
        self.causal = causal
        halvings = c.subsample.bit_length() - 1
        self.shorter = nn.ModuleList(MaskedConv1d(c.width, c.width, 3, causal=causal, stride=2) for _ in range(halvings))
        self.enter = linear(c.width, c.width)
        self.rotary = Rotary(c.width // c.heads)
        self.dropout = Dropout(c.dropout)
        self.blocks = stacked(c.layers, lambda gain: ConformerBlock(
            c.width, c.heads, c.hidden_width, c.window, causal=causal, dropout=c.dropout, gain=gain
        ), branches=4)  # fmt: skip

    def forward(self, features: Features) -> Features:
        states, mask = features.states, features.mask
        if self.shorter and torch.compiler.is_exporting():
            # Padding changes nothing, and an exported network need not ask whether a single unit is left.
            more = 1 << len(self.shorter)
            states, mask = F.pad(states, (0, 0, 0, more)), F.pad(mask, (0, more))
        for layer in self.shorter:
            states, mask = F.silu(layer(states, mask)), mask[:, ::2]
        states = self.dropout(self.enter(states))
        may_see, angles = biases(allowed(mask, self.causal)), self.rotary.angles(positions(mask))
        for block in self.blocks:
            states = block(states, mask, may_see, angles)
        return Features(zeroed(states, mask), mask)
