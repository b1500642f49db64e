"""U-Net (Ronneberger et al. 2015) of residual blocks that listen to what the task tells (Ho et al. 2020; Dhariwal & Nichol 2021).

Shapes: B rows, C channels, H and W the grid, D width of what it gives and of what it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.modulated import GroupNorm, PlaneAttention, ToldBlock
from zhuji.nn.planes import Plane, closed, convolution, opened

_Factor = Annotated[int, Field(gt=0, le=64)]


class Unet(Backbone):
    """Down to coarser grids and up again, with what each grid held on the way down beside it on the way up; the grid is kept.

    What a task tells of the row scales and shifts every block. Pictures of patches (`modality.patch`) are as good as pixels, and far less work.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (2,)
    takes: ClassVar[bool] = True

    channels: int = Field(default=3, gt=0)
    """Of a unit as the stem gives it; of pixels, their colours."""
    width: int = Field(default=32, gt=0, le=4096)
    """Channels of the finest grid."""
    factors: tuple[_Factor, ...] = Field(default=(1, 2), min_length=1, max_length=8)
    """Channels of each grid over the finest one's; every grid but the first has half the rows and columns of the one before."""
    blocks: int = Field(default=1, gt=0, le=16)
    """Of each grid on the way down; on the way up there is one more."""
    heads: int = Field(default=2, ge=0)
    """Of the attention on the coarsest grid, between two blocks; 0: none."""

    @property
    def stem_width(self) -> int:
        return self.channels

    @property
    def out_width(self) -> int:
        return self.width

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.width * factor for factor in self.factors)

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """Down, the middle, up; the last with its norm."""
        assert isinstance(body, _Body)
        *others, last = body.up
        return [body.entry, *body.down, body.middle, *others, nn.ModuleList((last, body.norm))]

    @classmethod
    def example(cls) -> Self:
        return cls(channels=3, width=8, factors=(1, 2), heads=2)


class _Body(nn.Module):
    def __init__(self, unet: Unet) -> None:
        super().__init__()
        told, widths = unet.out_width, unet.widths
        # Rows of which nothing is told have this alone.
        self.start = nn.Parameter(torch.randn(told))
        self.entry = convolution(unet.channels, widths[0], 3)
        self.down = nn.ModuleList(
            _Down(widths[max(level - 1, 0)], width, told, unet.blocks, halves=level > 0) for level, width in enumerate(widths)
        )
        self.middle = _Middle(widths[-1], told, unet.heads)
        self.up = nn.ModuleList(
            _Up(widths[min(level + 1, len(widths) - 1)], width, told, unet.blocks + 1)
            for level, width in reversed(list(enumerate(widths)))
        )
        self.norm = GroupNorm(widths[0], told)

    def forward(self, features: Features) -> Features:
        given = features.given
        told = F.silu(self.start.expand(features.mask.shape[0], -1) if given is None else self.start + given)
        plane = opened(features)
        plane = plane.with_states(self.entry(plane.states)).zeroed()
        kept: list[Plane] = []
        for down in self.down:
            plane = down(plane, told)
            kept.append(plane)
        plane = self.middle(plane, told)
        for up, beside in zip(self.up, reversed(kept), strict=True):
            plane = up(plane, beside, told)
        plane = self.norm(plane, told)
        return closed(plane.with_states(F.silu(plane.states)))


class _Down(nn.Module):
    def __init__(self, inputs: int, width: int, told: int, blocks: int, *, halves: bool) -> None:
        super().__init__()
        self.halve = convolution(inputs, inputs, 3, stride=2) if halves else None
        self.blocks = nn.ModuleList(ToldBlock(width if number else inputs, width, told) for number in range(blocks))

    def forward(self, plane: Plane, told: Tensor) -> Plane:
        if self.halve is not None:
            plane = plane.strided(self.halve(plane.states), 2).zeroed()
        for block in self.blocks:
            plane = block(plane, told)
        return plane


class _Middle(nn.Module):
    """A block, attention, a block."""

    def __init__(self, width: int, told: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = ToldBlock(width, width, told), ToldBlock(width, width, told)
        self.attention = PlaneAttention(width, heads) if heads else None

    def forward(self, plane: Plane, told: Tensor) -> Plane:
        plane = self.first(plane, told)
        if self.attention is not None:
            plane = self.attention(plane)
        return self.second(plane, told)


class _Up(nn.Module):
    """What comes from the coarser grid, laid over the finer one, beside what stood there on the way down."""

    def __init__(self, inputs: int, width: int, told: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ToldBlock(width if number else inputs + width, width, told) for number in range(blocks))

    def forward(self, plane: Plane, beside: Plane, told: Tensor) -> Plane:
        states, (high, wide) = plane.states, beside.states.shape[-2:]
        if states.shape[-2:] != (high, wide):
            states = F.interpolate(states, scale_factor=2.0, mode="nearest")[:, :, :high, :wide]
        plane = beside.with_states(torch.cat((states, beside.states), 1)).zeroed()
        for block in self.blocks:
            plane = block(plane, told)
        return plane
