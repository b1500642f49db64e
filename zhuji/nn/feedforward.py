"""The part of a block that treats each unit by itself. Shapes: D width of a state, M width of the hidden layer."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.layers import linear

Kind = Literal["gelu", "gelu_tanh", "relu", "silu", "swiglu"]

_ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "swiglu": F.silu,
}


class FeedForward(nn.Module):
    """gelu: W2 gelu(W1 x) (Hendrycks & Gimpel 2016), gelu_tanh: with its approximation (section 2 there); relu: W2 max(0, W1 x) (Vaswani
    et al. 2017, eq. 2); silu: W2 silu(W1 x) (Ramachandran et al. 2017, swish); swiglu: W2 (silu(W3 x) * W1 x) (Shazeer 2020, eq. 6). `(..., D)` -> `(..., D)`."""

    def __init__(
        self,
        dim: int,
        hidden: int,
        kind: Kind = "gelu",
        *,
        bias: bool = True,
        gain: float = 1.0,
        deviation: float | None = None,
    ) -> None:
        super().__init__()
        self.activation = _ACTIVATIONS[kind]
        self.rise = linear(dim, hidden, bias=bias, deviation=deviation)
        self.gate = linear(dim, hidden, bias=bias, deviation=deviation) if kind == "swiglu" else None
        self.fall = linear(hidden, dim, bias=bias, gain=gain, deviation=deviation)

    def forward(self, states: Tensor) -> Tensor:
        if self.gate is None:
            return self.fall(self.activation(self.rise(states)))
        return self.fall(self.activation(self.gate(states)) * self.rise(states))
