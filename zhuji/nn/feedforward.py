"""The part of a block that treats each unit by itself. Shapes: D width of a state, M width of the hidden layer."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.layers import linear

Kind = Literal["gelu", "swiglu"]


class FeedForward(nn.Module):
    """gelu: W2 gelu(W1 x) (Hendrycks & Gimpel 2016); swiglu: W2 (silu(W1 x) * W3 x) (Shazeer 2020, eq. 6).
    `(..., D)` -> `(..., D)`."""

    def __init__(self, dim: int, hidden: int, kind: Kind = "gelu", *, gain: float = 1.0) -> None:
        super().__init__()
        self.rise = linear(dim, hidden)
        self.gate = linear(dim, hidden) if kind == "swiglu" else None
        self.fall = linear(hidden, dim, gain=gain)

    def forward(self, states: Tensor) -> Tensor:
        if self.gate is None:
            return self.fall(F.gelu(self.rise(states)))
        return self.fall(F.silu(self.gate(states)) * self.rise(states))
