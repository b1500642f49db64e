"""Convolution over a sequence: windows of several widths side by side (Kim 2014), and residual layers above them (He et al. 2016)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.layers import norm


class Cnn(Backbone):
    """Windows of several widths slide over the units; each filter answers at every place (Kim 2014).

    Kim keeps each filter's largest answer, which is the head's affair: `task.pool=max`.
    """

    grids: ClassVar[tuple[int, ...]] = (1,)

    width: int = Field(default=64, gt=0)
    """Width of a unit's vector."""
    windows: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=(3, 4, 5), min_length=1)
    """Units seen by each kind of filter."""
    channels: int = Field(default=100, gt=0)
    """Filters of each kind."""
    blocks: int = Field(default=0, ge=0)
    """Residual layers above; block i looks at every 2^i-th unit, so the view doubles with each."""
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @property
    def stem_width(self) -> int:
        return self.width

    @property
    def out_width(self) -> int:
        return self.channels * len(self.windows)

    @property
    def drops(self) -> bool:
        return self.blocks > 0 and self.dropout > 0

    def body(self, causal: bool) -> nn.Module:
        return _Body(self, causal)

    @classmethod
    def example(cls) -> Self:
        return cls(width=6, windows=(2, 3), channels=4, blocks=2)


class _Body(nn.Module):
    def __init__(self, cnn: Cnn, causal: bool) -> None:
        super().__init__()
        self.windows = nn.ModuleList(MaskedConv1d(cnn.width, cnn.channels, w, causal=causal) for w in cnn.windows)
        self.blocks = nn.ModuleList(_Block(cnn.out_width, 2**depth, causal) for depth in range(cnn.blocks))
        self.dropout = nn.Dropout(cnn.dropout)

    def forward(self, features: Features) -> Features:
        mask = features.mask
        states = torch.cat([F.relu(window(features.states, mask)) for window in self.windows], dim=-1)
        for block in self.blocks:
            states = states + self.dropout(block(Features(states, mask)))
        return Features(states, mask)


class _Block(nn.Module):
    """norm, convolution, rectifier, convolution: what a residual layer adds."""

    def __init__(self, dim: int, dilation: int, causal: bool) -> None:
        super().__init__()
        self.norm = norm("layer", dim)
        self.first = MaskedConv1d(dim, dim, 3, causal=causal, dilation=dilation)
        self.second = MaskedConv1d(dim, dim, 3, causal=causal, dilation=dilation)

    def forward(self, features: Features) -> torch.Tensor:
        states, mask = features.states, features.mask
        return self.second(F.relu(self.first(self.norm(states), mask)), mask)
