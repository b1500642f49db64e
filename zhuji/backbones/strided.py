"""Strided convolutions without norms: a network that judges pictures, or reads them for a decoder (Radford et al. 2016, DCGAN, section 3).

Shapes: B rows, C channels, H and W the grid of a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

import torch.nn.functional as F
from pydantic import Field
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.planes import Plane, closed, convolution, opened

_Width = Annotated[int, Field(gt=0, le=4096)]


class Strided(Backbone):
    """Each stage halves the grid by a 3 x 3 convolution of stride 2, with leaky rectifiers. Without norms rows do not see each other, which a
    penalty on the gradient of each row needs (Gulrajani et al. 2017, section 4)."""

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (2,)

    channels: int = Field(default=3, gt=0)
    """Of a pixel."""
    widths: tuple[_Width, ...] = Field(default=(32, 64, 128), min_length=1, max_length=10)
    """Channels of each stage."""
    slope: float = Field(default=0.2, ge=0, lt=1)
    """Of the rectifiers below zero."""

    @property
    def strides(self) -> bool:
        return True

    @property
    def stem_width(self) -> int:
        return self.channels

    @property
    def out_width(self) -> int:
        return self.widths[-1]

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """Each convolution."""
        assert isinstance(body, _Body)
        return list(body.layers)

    @classmethod
    def example(cls) -> Self:
        return cls(channels=3, widths=(4, 6))


class _Body(nn.Module):
    def __init__(self, strided: Strided) -> None:
        super().__init__()
        pairs = zip((strided.channels, *strided.widths), strided.widths, strict=False)
        self.layers = nn.ModuleList(convolution(taken, given, 3, stride=2, bias=True) for taken, given in pairs)
        self.slope = strided.slope

    def forward(self, features: Features) -> Features:
        plane: Plane = opened(features)
        for layer in self.layers:
            plane = plane.strided(F.leaky_relu(layer(plane.states), self.slope), 2).zeroed()
        return closed(plane)
