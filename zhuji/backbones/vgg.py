"""VGG over pictures (Simonyan & Zisserman 2015), with batch normalisation (Ioffe & Szegedy 2015) instead of biases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import torch.nn.functional as F
from pydantic import Field
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.dropout import Dropout
from zhuji.nn.planes import ConvNorm, Plane, Tiles, closed, convolution, highest, opened, rectified

_LAYOUTS = {"A": (1, 1, 2, 2, 2), "B": (2, 2, 2, 2, 2), "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}
"""Layers of each stage (table 1 of the paper)."""
_WIDEST = 8
"""The widest stages, over the first."""


class Vgg(Backbone):
    """Five stages of 3 x 3 convolutions, each followed by 2 x 2 max pooling, so that a cell stands for 32 x 32 units.

    Batch norm sees real units alone, and makes what a step learns depend on how its rows are cut into micro-batches.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (2,)

    channels: int = Field(default=3, gt=0)
    """Of a pixel."""
    layout: Literal["A", "B", "D", "E"] = "A"
    """Columns of the paper's table 1: 11, 13, 16 and 19 layers with weights."""
    width: int = Field(default=64, gt=0, le=4096)
    """Channels of the first stage; they double from stage to stage up to eight times as many."""
    dense: int = Field(default=0, ge=0, le=65536)
    """Width of the two fully connected layers (4096 in the paper), as convolutions (section 3.2); 0: none, as is usual for small pictures."""
    window: int = Field(default=7, gt=0, le=64)
    """With `dense`: rows and columns of cells that become one; 7 are what pictures of 224 pixels leave."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """On the fully connected layers."""

    @property
    def strides(self) -> bool:
        return True

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.width * min(2**stage, _WIDEST) for stage in range(5))

    @property
    def stem_width(self) -> int:
        return self.channels

    @property
    def out_width(self) -> int:
        return self.dense or self.widths[-1]

    @property
    def drops(self) -> bool:
        return self.dense > 0 and self.dropout > 0

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """Each stage, the last with what follows it."""
        assert isinstance(body, _Body)
        *others, last = body.stages
        return [*others, last if body.dense is None else nn.ModuleList((last, body.dense))]

    @classmethod
    def example(cls) -> Self:
        return cls(channels=3, width=2, dense=6, window=2, dropout=0.0)


class _Body(nn.Module):
    def __init__(self, vgg: Vgg) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inputs = vgg.channels
        for count, width in zip(_LAYOUTS[vgg.layout], vgg.widths, strict=True):
            widths = [inputs] + [width] * (count - 1)
            stages.append(nn.ModuleList(ConvNorm(taken, width, 3) for taken in widths))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.dense = _Dense(inputs, vgg.dense, vgg.window, vgg.dropout) if vgg.dense else None

    def forward(self, features: Features) -> Features:
        plane = opened(features)
        for stage in self.stages:
            for layer in stage:  # pyright: ignore[reportGeneralTypeIssues]
                plane = rectified(layer(plane))
            plane = highest(plane, 2, 2)
        return closed(plane if self.dense is None else self.dense(plane))


class _Dense(nn.Module):
    """Two fully connected layers at every place; the first sees a window of cells."""

    def __init__(self, inputs: int, width: int, window: int, dropout: float) -> None:
        super().__init__()
        self.first = Tiles(inputs, width, window)
        self.second = convolution(width, width, 1, bias=True)
        self.dropout = Dropout(dropout)

    def forward(self, plane: Plane) -> Plane:
        plane = self.first(plane)
        states = self.dropout(F.relu(plane.states))
        return plane.with_states(self.dropout(F.relu(self.second(states)))).zeroed()
