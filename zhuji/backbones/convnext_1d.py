"""ConvNeXt along a row (Liu et al. 2022, A ConvNet for the 2020s; along frames of sound as Siuzdak 2023, Vocos, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.feedforward import FeedForward
from zhuji.nn.layers import norm, zeroed

_EPS = 1e-6


class Convnext1d(Backbone):
    """A convolution, then blocks of a wide depthwise convolution and a feedforward layer at every unit; the grid is kept."""

    grids: ClassVar[tuple[int, ...]] = (1,)

    width: int = Field(default=256, gt=0)
    layers: int = Field(default=8, gt=0)
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers of a feedforward part; None: 3 x width."""
    window: int = Field(default=7, gt=0, le=127)
    """Units that a convolution sees."""
    scale: float | None = Field(default=None, gt=0)
    """What branches begin scaled by, learned for each channel; None: 1 / layers, as Vocos has it."""

    @property
    def stem_width(self) -> int:
        return self.width

    def body(self, causal: bool) -> nn.Module:
        return _Body(self, causal)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """The first convolution, each block, the last norm."""
        assert isinstance(body, _Body)
        return [nn.ModuleList((body.entry, body.first)), *body.blocks, body.last]

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, layers=2, hidden=12, window=3, scale=0.5)


class _Body(nn.Module):
    def __init__(self, convnext: Convnext1d, causal: bool) -> None:
        super().__init__()
        width, scale = convnext.width, convnext.scale or 1 / convnext.layers
        self.entry = MaskedConv1d(width, width, convnext.window, causal=causal)
        self.first, self.last = norm("layer", width, _EPS), norm("layer", width, _EPS)
        hidden = convnext.hidden or 3 * width
        self.blocks = nn.ModuleList(_Block(width, hidden, convnext.window, scale, causal) for _ in range(convnext.layers))

    def forward(self, features: Features) -> Features:
        states = self.first(self.entry(features.states, features.mask))
        for block in self.blocks:
            states = block(states, features.mask)
        return Features(zeroed(self.last(states), features.mask), features.mask, features.segments)


class _Block(nn.Module):
    """x + scale * feedforward(norm(depthwise(x))) (Liu et al. 2022, figure 4)."""

    def __init__(self, width: int, hidden: int, window: int, scale: float, causal: bool) -> None:
        super().__init__()
        self.depthwise = MaskedConv1d(width, width, window, causal=causal, groups=width)
        self.norm = norm("layer", width, _EPS)
        self.feedforward = FeedForward(width, hidden)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        return states + self.feedforward(self.norm(self.depthwise(states, mask))) * self.scale
