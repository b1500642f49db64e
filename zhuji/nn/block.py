"""The transformer block, pre-norm (Xiong et al. 2020): x + attention(norm(x)), then x + feedforward(norm(x))."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from zhuji.nn.attention import Angles, SelfAttention
from zhuji.nn.feedforward import FeedForward, Kind
from zhuji.nn.layers import norm


class TransformerBlock(nn.Module):
    """`(B, T, D)` -> `(B, T, D)`. Dropout falls on what each branch adds; attention weights have none, because it would
    forbid the fused kernel. `gain` scales the initial weights with which each branch ends."""

    def __init__(
        self,
        dim: int,
        heads: int,
        kv_heads: int | None,
        hidden: int,
        *,
        feedforward: Kind,
        norms: Literal["rms", "layer"],
        dropout: float,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.attention_norm = norm(norms, dim)
        self.attention = SelfAttention(dim, heads, kv_heads, gain=gain)
        self.feedforward_norm = norm(norms, dim)
        self.feedforward = FeedForward(dim, hidden, feedforward, gain=gain)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, may_see: Tensor, angles: Angles | None = None) -> Tensor:
        states = states + self.dropout(self.attention(self.attention_norm(states), may_see, angles))
        return states + self.dropout(self.feedforward(self.feedforward_norm(states)))
