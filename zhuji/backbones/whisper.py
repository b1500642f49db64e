"""The encoder of Whisper (Radford et al. 2023, section 2.2): two convolutions over log-mel frames and a transformer over every other of them.

Shapes: B rows, T frames, M mel bands, D width of a state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.backbones._blocks import Blocks
from zhuji.core.log import in_language
from zhuji.core.units import Features
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import TransformerBlock, stacked
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.feedforward import Kind
from zhuji.nn.layers import norm, zeroed

_PERIOD = 10_000.0


class Whisper(Blocks):
    """As it stands the sizes of Whisper tiny. It reads frames of `modality.features=whisper` as they are, where `bands` is the modality's.

    The original fills every sound up to 30 seconds with silence, of which it makes states as well. Here a row ends where its sound does, and positions are those
    of its own frames: the states of a sound of 30 seconds are the original's, those of a shorter one are what they would be if nothing followed.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (1,)

    bands: int = Field(default=80, gt=0)
    """Width of what it reads."""
    width: int = Field(default=384, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=6, gt=0)
    feedforward: Kind = "gelu"
    max_positions: int = Field(default=1500, gt=0, le=1 << 16)
    """States of a row that are told apart by where they stand; later ones share the last place."""
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.width % 2 or self.width < 4:
            raise ValueError(in_language("width must be even and 4 at least, as positions are sines and cosines",
                                         "width 须为不小于 4 的偶数，因为位置由正弦与余弦表示"))  # fmt: skip
        return self

    @property
    def stride(self) -> int:
        return 2

    @property
    def stem_width(self) -> int:
        return self.bands

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """The convolutions, then each block, the last with the norm that follows it."""
        assert isinstance(body, _Body)
        *blocks, last = body.blocks
        return [nn.ModuleList((body.first, body.second)), *blocks, nn.ModuleList((last, body.norm))]

    @classmethod
    def example(cls) -> Self:
        return cls(bands=5, width=8, layers=2, heads=2, hidden=12, max_positions=8)


def sinusoids(count: int, dim: int) -> Tensor:
    """`(count, dim)`: sines and then cosines of positions, whose periods go from 2 pi to `_PERIOD` times that (Vaswani et al. 2017, section 3.5)."""
    speeds = torch.exp(-math.log(_PERIOD) / (dim // 2 - 1) * torch.arange(dim // 2))
    angles = torch.arange(count)[:, None] * speeds
    return torch.cat((angles.sin(), angles.cos()), 1)


class _Body(nn.Module):
    places: Tensor
    """`(max_positions, D)`; kept with the weights, as a model that was trained elsewhere may have others."""

    def __init__(self, whisper: Whisper) -> None:
        super().__init__()
        w = whisper
        self.first, self.second = MaskedConv1d(w.bands, w.width, 3), MaskedConv1d(w.width, w.width, 3, stride=2)
        self.register_buffer("places", sinusoids(w.max_positions, w.width))
        self.dropout = Dropout(w.dropout)
        self.blocks = stacked(w.layers, lambda gain: TransformerBlock(
            w.width, w.heads, None, w.hidden_width, feedforward=w.feedforward, norms="layer", dropout=w.dropout, gain=gain
        ))  # fmt: skip
        self.norm = norm("layer", w.width)

    def forward(self, features: Features) -> Features:
        states, mask = features.states, features.mask
        if torch.compiler.is_exporting():
            # Padding changes nothing, and an exported network need not ask whether a single unit is left.
            states, mask = F.pad(states, (0, 0, 0, 2)), F.pad(mask, (0, 2))
        states = F.gelu(self.second(F.gelu(self.first(states, mask)), mask))
        # Taken one by one: an exported network would ask how long a row is of every other of a view.
        mask = mask[:, 2 * torch.arange(states.shape[1], device=mask.device)]
        place = torch.arange(states.shape[1], device=states.device).clamp_max(len(self.places) - 1)
        states = self.dropout(states + self.places[place])
        may_see = biases(allowed(mask, False))
        for block in self.blocks:
            states = block(states, may_see)
        return Features(zeroed(self.norm(states), mask), mask)
