"""Dropout (Srivastava et al. 2014) whose random bits cost little.

torch draws one float for each number on a processor, which can take longer than the layers between. Here one draw of 64 bits serves
eight numbers, so that the rate is a multiple of 1/256. On an accelerator torch's own kernel is the quick one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_STEPS = 256


class Dropout(nn.Module):
    """While training each number becomes zero with probability `rate`, rounded to a multiple of 1/256 on a processor; the others are
    scaled up so that the mean stays."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, states: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return states
        if states.is_cuda:
            return F.dropout(states, self.rate)
        below = min(max(round(self.rate * _STEPS), 1), _STEPS - 1)
        keep = _bytes(states.numel()).view(states.shape) >= below
        return states * (keep * (_STEPS / (_STEPS - below))).to(states.dtype)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class RowDropout(nn.Module):
    """While training what a branch adds is left out for whole rows of `(B, …)`, each with probability `rate`; for the others it is scaled up so
    that the mean stays (stochastic depth, Huang et al. 2016, section 3)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, states: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return states
        rows = (len(states), *(1,) * (states.ndim - 1))
        kept = torch.rand(rows, device=states.device) >= self.rate
        return states * (kept / (1 - self.rate)).to(states.dtype)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def _bytes(count: int) -> Tensor:
    """`(count,)` uint8, each value equally likely; from torch's own generator."""
    # One value of 2^64 is never drawn.
    words = torch.randint(-(1 << 63), (1 << 63) - 1, (-(-count // 8),), dtype=torch.int64)
    return words.view(torch.uint8)[:count]
