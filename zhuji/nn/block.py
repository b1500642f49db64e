"""The transformer block: pre-norm, x + branch(norm(x)) (Xiong et al. 2020), or post-norm, norm(x + branch(x)) (Vaswani et al. 2017),
for a branch of attention and then one of feedforward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from zhuji.nn.asked import Asked
from zhuji.nn.attention import Angles, SelfAttention, Sight
from zhuji.nn.cache import LayerCache
from zhuji.nn.dropout import Dropout
from zhuji.nn.feedforward import FeedForward, Kind
from zhuji.nn.layers import Norm, norm

Place = Literal["pre", "post"]


class TransformerBlock(nn.Module):
    """`(B, T, D)` -> `(B, T, D)`, or `(B, 1, D)` where one unit of each row asks. Dropout falls on what each branch adds; attention weights have none, because it would
    forbid the fused kernel. `gain` scales the initial weights with which each branch ends; with `deviation` all are normal."""

    def __init__(
        self,
        dim: int,
        heads: int,
        kv_heads: int | None,
        hidden: int,
        *,
        feedforward: Kind,
        norms: Norm,
        dropout: float,
        place: Place = "pre",
        eps: float | None = None,
        bias: bool = True,
        key_bias: bool = False,
        gain: float = 1.0,
        deviation: float | None = None,
    ) -> None:
        super().__init__()
        self.post = place == "post"
        self.attention_norm = norm(norms, dim, eps)
        self.attention = SelfAttention(
            dim, heads, kv_heads, bias=bias, key_bias=key_bias, gain=gain, deviation=deviation
        )  # fmt: skip
        self.feedforward_norm = norm(norms, dim, eps)
        self.feedforward = FeedForward(dim, hidden, feedforward, bias=bias, gain=gain, deviation=deviation)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, may_see: Sight, angles: Angles | None = None, cache: LayerCache | None = None) -> Tensor:
        asking = may_see.of(states) if isinstance(may_see, Asked) else states
        if self.post:
            states = self.attention_norm(asking + self.dropout(self.attention(states, may_see, angles, cache)))
            return self.feedforward_norm(states + self.dropout(self.feedforward(states)))
        states = asking + self.dropout(self.attention(self.attention_norm(states), may_see, angles, cache))
        return states + self.dropout(self.feedforward(self.feedforward_norm(states)))


def stacked(layers: int, block: Callable[[float], nn.Module], *, branches: int = 2) -> nn.ModuleList:
    """So many blocks of so many branches each. `block` makes one by the `gain` of its branches: what all of them add should not outgrow what they add to (Radford et al.
    2019, section 2.3)."""
    gain = (branches * layers) ** -0.5
    return nn.ModuleList(block(gain) for _ in range(layers))
