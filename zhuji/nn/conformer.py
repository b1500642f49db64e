"""The block of a conformer (Gulati et al. 2020, section 2): half a feedforward, attention, convolution, the other half, a norm.

Shapes: B rows, T units, D width of a state.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.attention import Angles, SelfAttention, Sight
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.feedforward import FeedForward
from zhuji.nn.layers import linear, norm


class ConvolutionModule(nn.Module):
    """What is heard nearby: a gate, a filter of each channel by itself over `window` units, swish (section 2.2). The norm in it is that of a unit by itself
    in place of a batch norm, which would let rows see each other, and padding. `(B, T, D)` -> `(B, T, D)`."""

    def __init__(self, dim: int, window: int, *, causal: bool = False, gain: float = 1.0) -> None:
        super().__init__()
        self.gate = linear(dim, 2 * dim)
        self.filter = MaskedConv1d(dim, dim, window, causal=causal, groups=dim)
        self.norm = norm("layer", dim)
        self.out = linear(dim, dim, gain=gain)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        states = self.filter(F.glu(self.gate(states), -1), mask)
        return self.out(F.silu(self.norm(states)))


class ConformerBlock(nn.Module):
    """`(B, T, D)` -> `(B, T, D)`. Dropout falls on what each branch adds; `gain` scales the initial weights with which each ends."""

    def __init__(
        self, dim: int, heads: int, hidden: int, window: int, *, causal: bool, dropout: float, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.first_norm, self.first = norm("layer", dim), FeedForward(dim, hidden, "silu", gain=gain)
        self.attention_norm, self.attention = norm("layer", dim), SelfAttention(dim, heads, gain=gain)
        self.convolution_norm = norm("layer", dim)
        self.convolution = ConvolutionModule(dim, window, causal=causal, gain=gain)
        self.second_norm, self.second = norm("layer", dim), FeedForward(dim, hidden, "silu", gain=gain)
        self.norm = norm("layer", dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor, may_see: Sight, angles: Angles) -> Tensor:
        states = states + self.dropout(self.first(self.first_norm(states))) / 2
        states = states + self.dropout(self.attention(self.attention_norm(states), may_see, angles))
        states = states + self.dropout(self.convolution(self.convolution_norm(states), mask))
        states = states + self.dropout(self.second(self.second_norm(states))) / 2
        return self.norm(states)
