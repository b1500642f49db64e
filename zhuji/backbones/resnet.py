"""Residual networks over pictures (He et al. 2016a, Deep Residual Learning for Image Recognition).

Shapes: B rows, C channels, H and W the grid of a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import Backbone
from zhuji.core.log import in_language
from zhuji.core.rules import one_a_stage
from zhuji.core.units import Features
from zhuji.nn.planes import ConvNorm, Plane, closed, highest, opened, rectified

_Count = Annotated[int, Field(gt=0, le=4096)]
_EXPANSION = 4
"""Channels that a bottleneck gives, over those of its middle (He et al. 2016, table 1)."""


class Resnet(Backbone):
    """Stages of residual blocks; each stage but the first halves the grid.

    `blocks: [n, n, n]`, `widths: [16, 32, 64]`, `shortcut: pad` and the small stem are the paper's networks of 6n + 2 layers for small
    pictures (section 4.2); `[2, 2, 2, 2]` with `stem: large` is ResNet-18, `[3, 4, 6, 3]` ResNet-34 and with `block: bottleneck` ResNet-50,
    `[3, 4, 23, 3]` ResNet-101, `[3, 8, 36, 3]` ResNet-152. A bottleneck strides in its middle layer. Batch norm sees real units alone, and
    makes what a step learns depend on how its rows are cut into micro-batches.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (2,)

    channels: int = Field(default=3, gt=0)
    """Of a pixel."""
    blocks: tuple[_Count, ...] = Field(default=(3, 3, 3), min_length=1, max_length=8)
    """Of each stage."""
    widths: tuple[_Count, ...] = Field(default=(16, 32, 64), min_length=1)
    """Channels of each stage's 3 x 3 convolutions; a bottleneck gives four times as many."""
    block: Literal["basic", "bottleneck"] = "basic"
    stem: Literal["small", "large"] = "small"
    """small: 3 x 3; large: 7 x 7 with stride 2 and 3 x 3 max pooling with stride 2, for pictures of about 224 pixels."""
    stem_channels: int | None = Field(default=None, gt=0)
    """Channels of the stem; defaults to the first of `widths`."""
    shortcut: Literal["project", "pad"] = "project"
    """Where a block changes the shape: project by a 1 x 1 convolution (option B of the paper), or keep every other unit and add channels of
    zeros, which learns nothing (option A)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        one_a_stage(self.blocks, self.widths)
        wide = [self.entry_width, *(width * self.expansion for width in self.widths)]
        if self.shortcut == "pad" and sorted(wide) != wide:
            raise ValueError(
                in_language("shortcut=pad needs stages that do not become narrower", "shortcut=pad 要求各阶段的通道数不减少")
            )
        return self

    @property
    def strides(self) -> bool:
        return True

    @property
    def expansion(self) -> int:
        return _EXPANSION if self.block == "bottleneck" else 1

    @property
    def entry_width(self) -> int:
        return self.stem_channels or self.widths[0]

    @property
    def stem_width(self) -> int:
        return self.channels

    @property
    def out_width(self) -> int:
        return self.widths[-1] * self.expansion

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """The stem, then each block."""
        assert isinstance(body, _Body)
        return [body.entry, *(block for stage in body.stages for block in stage)]  # pyright: ignore[reportGeneralTypeIssues]

    @classmethod
    def example(cls) -> Self:
        return cls(channels=3, blocks=(1, 1), widths=(4, 6))


class _Body(nn.Module):
    def __init__(self, resnet: Resnet) -> None:
        super().__init__()
        self.entry = _Entry(resnet.channels, resnet.entry_width, large=resnet.stem == "large")
        stages: list[nn.Module] = []
        wide = resnet.entry_width
        for number, (count, width) in enumerate(zip(resnet.blocks, resnet.widths, strict=True)):
            given = width * resnet.expansion
            strides = [2 if number else 1] + [1] * (count - 1)
            pairs = [(wide, strides[0])] + [(given, 1)] * (count - 1)
            stages.append(nn.ModuleList(_Block(taken, width, stride, resnet) for taken, stride in pairs))
            wide = given
        self.stages = nn.ModuleList(stages)

    def forward(self, features: Features) -> Features:
        plane = self.entry(opened(features))
        for stage in self.stages:
            for block in stage:  # pyright: ignore[reportGeneralTypeIssues]
                plane = block(plane)
        return closed(plane)


class _Entry(nn.Module):
    def __init__(self, channels: int, width: int, *, large: bool) -> None:
        super().__init__()
        self.large = large
        self.layer = ConvNorm(channels, width, 7 if large else 3, stride=2 if large else 1)

    def forward(self, plane: Plane) -> Plane:
        plane = rectified(self.layer(plane))
        return highest(plane, 3, 2) if self.large else plane


class _Block(nn.Module):
    """relu(x + branch(x)), by two 3 x 3 convolutions or by a 3 x 3 one between two of 1 x 1 (figure 5)."""

    def __init__(self, inputs: int, width: int, stride: int, resnet: Resnet) -> None:
        super().__init__()
        outputs = width * resnet.expansion
        first, last = (1, 1) if resnet.block == "bottleneck" else (3, 3)
        sizes = [(inputs, width, first, 1), (width, width, 3, stride), (width, outputs, last, 1)]
        if resnet.block == "basic":
            sizes = [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        self.layers = nn.ModuleList(ConvNorm(a, b, window, stride=step) for a, b, window, step in sizes)
        self.stride, self.missing = stride, outputs - inputs
        changes = stride != 1 or inputs != outputs
        self.project = ConvNorm(inputs, outputs, 1, stride=stride) if changes and resnet.shortcut == "project" else None

    def forward(self, plane: Plane) -> Plane:
        *others, last = self.layers
        branch = plane
        for layer in others:
            branch = rectified(layer(branch))
        branch = last(branch)
        return rectified(branch.with_states(branch.states.add_(self._shortcut(plane))))

    def _shortcut(self, plane: Plane) -> Tensor:
        if self.project is not None:
            return self.project(plane).states
        kept = plane.states[:, :, :: self.stride, :: self.stride]
        # Channels of zeros behind: channels are the last axis in memory.
        return F.pad(kept.permute(0, 2, 3, 1), (0, self.missing)).permute(0, 3, 1, 2) if self.missing else kept
