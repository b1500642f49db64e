"""wav2vec 2.0 (Baevski et al. 2020): convolutions over raw samples and a transformer over what they hear.

Shapes: B rows, S samples, T frames, D width of a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator
from torch import nn

from zhuji.backbones._blocks import Blocks
from zhuji.core.log import in_language
from zhuji.core.rules import divides
from zhuji.core.units import Features
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import Place, TransformerBlock, stacked
from zhuji.nn.dropout import Dropout
from zhuji.nn.feedforward import Kind
from zhuji.nn.layers import norm, zeroed
from zhuji.nn.sampled import ConvNorm, ConvolvedPositions, SampledFrames

_Channels = Annotated[int, Field(gt=0, le=1 << 14)]
_Window = Annotated[int, Field(gt=0, le=1 << 12)]


class Wav2vec2(Blocks):
    """As it stands the sizes of wav2vec 2.0 Base: a state for every 320 samples, which sees 400. A unit is a sample (`modality.features=raw`).

    A row has as many frames as whole windows fit into it, and one at least. Padding changes nothing, also where norms go over a whole row
    (`conv_norm=group`): only its real frames count. Of training, layers are never left out and spans never hidden.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (1,)

    conv_channels: tuple[_Channels, ...] = Field(default=(512,) * 7, min_length=1, max_length=16)
    conv_windows: tuple[_Window, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_strides: tuple[_Window, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_norm: ConvNorm = "group"
    """group: each channel of a row, behind the first convolution; layer: each frame, behind every one."""
    conv_bias: bool = False
    position_window: int = Field(default=128, gt=0, le=1 << 12)
    """Frames that tell each where it stands."""
    position_groups: int = Field(default=16, gt=0)
    width: int = Field(default=768, gt=0)
    layers: int = Field(default=12, gt=0)
    heads: int = Field(default=12, gt=0)
    feedforward: Kind = "gelu"
    norm_place: Place = "post"
    """post: before the first block and after each branch; pre: before each branch and once at the end."""
    norm_eps: float = Field(default=1e-5, gt=0)
    """Added to what a norm divides by."""
    key_bias: bool = False
    """A bias on the keys, which changes no answer; models that were trained elsewhere have one."""
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        divides("position_groups", self.position_groups, "width", self.width)
        if len({len(self.conv_channels), len(self.conv_windows), len(self.conv_strides)}) > 1:
            raise ValueError(in_language(
                "conv_channels, conv_windows and conv_strides must be of one length", "conv_channels、conv_windows 与 conv_strides 的长度必须相同"
            ))  # fmt: skip
        return self

    @property
    def stride(self) -> int:
        """A row ends where its last whole window does."""
        return 0

    @property
    def stem_width(self) -> int:
        return 1

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """The convolutions, the positions with the norm behind them, then each block, the last with the norm that follows it."""
        assert isinstance(body, _Body)
        *blocks, last = body.blocks
        if self.norm_place == "post":
            return [body.frames, nn.ModuleList((body.places, body.norm)), *blocks, last]
        return [body.frames, body.places, *blocks, nn.ModuleList((last, body.norm))]

    @classmethod
    def example(cls) -> Self:
        return cls(
            conv_channels=(4, 6), conv_windows=(2, 1), conv_strides=(1, 1), conv_norm="layer", position_window=2, position_groups=2,
            width=8, layers=2, heads=2, hidden=12, dropout=0.0,
        )  # fmt: skip


class _Body(nn.Module):
    def __init__(self, settings: Wav2vec2) -> None:
        super().__init__()
        s = settings
        windows = list(zip(s.conv_channels, s.conv_windows, s.conv_strides, strict=True))
        self.post = s.norm_place == "post"
        self.frames = SampledFrames(windows, s.width, bias=s.conv_bias, norms=s.conv_norm, eps=s.norm_eps, dropout=s.dropout)
        self.places = ConvolvedPositions(s.width, s.position_window, s.position_groups)
        self.norm, self.dropout = norm("layer", s.width, s.norm_eps), Dropout(s.dropout)
        self.blocks = stacked(s.layers, lambda gain: TransformerBlock(
            s.width, s.heads, None, s.hidden_width, feedforward=s.feedforward, norms="layer", eps=s.norm_eps,
            place=s.norm_place, dropout=s.dropout, key_bias=s.key_bias, gain=gain,
        ))  # fmt: skip

    def forward(self, features: Features) -> Features:
        states, mask = self.frames(features.states, features.mask)
        states = self.places(states, mask)
        states = self.dropout(self.norm(states) if self.post else states)
        may_see = biases(allowed(mask, False))
        for block in self.blocks:
            states = block(states, may_see)
        return Features(zeroed(states if self.post else self.norm(states), mask), mask)
