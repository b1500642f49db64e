"""ConvNeXt over pictures (Liu et al. 2022, A ConvNet for the 2020s)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import Backbone
from zhuji.core.log import in_language
from zhuji.core.rules import one_a_stage
from zhuji.core.units import Features
from zhuji.nn.dropout import RowDropout
from zhuji.nn.feedforward import FeedForward
from zhuji.nn.layers import norm
from zhuji.nn.planes import Plane, Tiles, by_unit, closed, convolution, opened

_Count = Annotated[int, Field(gt=0, le=4096)]
_EPS = 1e-6


class Convnext(Backbone):
    """Stages of blocks of a wide depthwise convolution and a feedforward layer at every unit; patches before the first and between them.

    `blocks`, `widths`: tiny [3, 3, 9, 3], [96, 192, 384, 768]; nano [2, 2, 8, 2], [80, 160, 320, 640]; pico, femto, atto [2, 2, 6, 2] and
    [64, …], [48, …], [40, …]. The last norm stands before the pooling, where the paper's stands behind it, because the pooling is the
    head's.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (2,)

    channels: int = Field(default=3, gt=0)
    """Of a pixel."""
    blocks: tuple[_Count, ...] = Field(default=(2, 2, 6, 2), min_length=1, max_length=8)
    """Of each stage."""
    widths: tuple[_Count, ...] = Field(default=(40, 80, 160, 320), min_length=1)
    """Channels of each stage."""
    patch: int = Field(default=4, gt=0, le=64)
    """Side of the first patches: 4 for pictures of about 224 pixels, 1 or 2 for small ones."""
    window: int = Field(default=7, gt=0, le=63)
    """Rows and columns that a depthwise convolution sees; an odd number."""
    scale: float = Field(default=1e-6, gt=0)
    """What branches begin scaled by; learned for each channel (Touvron et al. 2021, section 2)."""
    row_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a row passes a block by; it rises to this from the first block to the last (stochastic depth, Huang et al. 2016)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        one_a_stage(self.blocks, self.widths)
        if self.window % 2 == 0:
            raise ValueError(in_language("must have an odd window", "window 必须为奇数"))
        return self

    @property
    def strides(self) -> bool:
        return True

    @property
    def stem_width(self) -> int:
        return self.channels

    @property
    def out_width(self) -> int:
        return self.widths[-1]

    @property
    def drops(self) -> bool:
        return self.row_dropout > 0

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """Patches with the blocks that follow them, stage by stage, the last with its norm."""
        assert isinstance(body, _Body)
        pairs = [nn.ModuleList(pair) for pair in zip(body.entries, body.stages, strict=True)]
        return [*pairs[:-1], nn.ModuleList((*pairs[-1], body.norm))]

    @classmethod
    def example(cls) -> Self:
        return cls(channels=3, blocks=(1, 1), widths=(4, 6), patch=2, window=3, scale=0.5)


class _Body(nn.Module):
    def __init__(self, convnext: Convnext) -> None:
        super().__init__()
        taken = (convnext.channels, *convnext.widths)
        count = sum(convnext.blocks)
        rates = [convnext.row_dropout * (number + 1) / count for number in range(count)]
        entries: list[nn.Module] = []
        stages: list[nn.Module] = []
        for number, (blocks, width) in enumerate(zip(convnext.blocks, convnext.widths, strict=True)):
            entries.append(_Entry(taken[number], width, 2 if number else convnext.patch, first=number == 0))
            own, rates = rates[:blocks], rates[blocks:]
            stages.append(nn.Sequential(*(_Block(width, convnext.window, convnext.scale, rate) for rate in own)))
        self.entries, self.stages = nn.ModuleList(entries), nn.ModuleList(stages)
        self.norm = norm("layer", convnext.out_width, _EPS)

    def forward(self, features: Features) -> Features:
        plane = opened(features)
        for entry, stage in zip(self.entries, self.stages, strict=True):
            plane = stage(entry(plane))
        return closed(by_unit(plane, self.norm))


class _Entry(nn.Module):
    """Patches: with their norm behind them at first, before them later."""

    def __init__(self, inputs: int, width: int, side: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.norm = norm("layer", width if first else inputs, _EPS)
        self.tiles = Tiles(inputs, width, side)

    def forward(self, plane: Plane) -> Plane:
        return by_unit(self.tiles(plane), self.norm) if self.first else self.tiles(by_unit(plane, self.norm))


class _Block(nn.Module):
    """x + scale * feedforward(norm(depthwise(x))) (figure 4)."""

    def __init__(self, width: int, window: int, scale: float, rate: float) -> None:
        super().__init__()
        self.depthwise = convolution(width, width, window, groups=width, bias=True)
        self.norm = norm("layer", width, _EPS)
        self.feedforward = FeedForward(width, 4 * width)
        self.scale = nn.Parameter(torch.full((width,), scale))
        self.dropout = RowDropout(rate)

    def forward(self, plane: Plane) -> Plane:
        branch = by_unit(plane.with_states(self.depthwise(plane.states)), self._each)
        return plane.with_states(plane.states + self.dropout(branch.states))

    def _each(self, states: Tensor) -> Tensor:
        return self.feedforward(self.norm(states)) * self.scale
