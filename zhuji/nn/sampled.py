"""Raw samples to states: a stack of convolutions without margins, and positions that are convolved (Baevski et al. 2020, wav2vec 2.0, section 2).

Shapes: B rows, S samples, T frames, C channels of a convolution, D width of a state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import linear, norm, zeroed

ConvNorm = Literal["group", "layer"]
_EPS = 1e-5


class RowNorm(nn.Module):
    """Each channel of a row at mean 0 and deviation 1 over the row's real frames: a group norm of as many groups as channels (Wu & He 2018) that padding
    cannot reach. `(B, T, C)` -> `(B, T, C)`; padding is zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        count = mask.sum(1).clamp_min(1)[:, None, None]
        wide = zeroed(states, mask).float()
        far = zeroed(wide - wide.sum(1, keepdim=True) / count, mask)
        variance = far.square().sum(1, keepdim=True) / count
        found = far * (variance + _EPS).rsqrt() * self.weight + self.bias
        return zeroed(found, mask).to(states.dtype)


class WindowConv(nn.Module):
    """A convolution without margins, a norm or none, and GELU: frame i reads the units from i * stride on, `window` of them. `norms`: of a row or of a frame."""

    def __init__(
        self, inputs: int, outputs: int, window: int, stride: int, *, bias: bool, norms: ConvNorm | None
    ) -> None:  # fmt: skip
        super().__init__()
        self.window, self.stride = window, stride
        self.conv = nn.Conv1d(inputs, outputs, window, stride, bias=bias)
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)
        self.norm = None if norms is None else RowNorm(outputs) if norms == "group" else norm("layer", outputs, _EPS)

    def forward(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`states (B, T, C)` of which the first `lengths (B,)` of a row are real -> the same of the frames."""
        states = self.conv(states.transpose(1, 2)).transpose(1, 2)
        lengths = torch.div(lengths - self.window, self.stride, rounding_mode="floor") + 1
        mask = within(lengths, states.shape[1])
        if isinstance(self.norm, RowNorm):
            states = self.norm(states, mask)
        elif self.norm is not None:
            states = self.norm(states)
        return zeroed(F.gelu(states), mask), lengths


def within(lengths: Tensor, units: int) -> Tensor:
    """`(B,)` -> `(B, units)` bool: which are the first of a row."""
    return torch.arange(units, device=lengths.device) < lengths[:, None]


class SampledFrames(nn.Module):
    """`(B, S, 1)` with `mask (B, S)` -> `(B, T, D)` and its mask: a row of S samples has floor((S - field) / stride) + 1 frames, one where it is shorter
    than the field, which silence then fills. Units between real ones that are not there are silence."""

    def __init__(
        self, windows: Sequence[tuple[int, int, int]], dim: int, *, bias: bool, norms: ConvNorm, eps: float, dropout: float
    ) -> None:  # fmt: skip
        """`windows`: channels, units and stride of each convolution."""
        super().__init__()
        inputs = (1, *(channels for channels, _, _ in windows))
        self.layers = nn.ModuleList(
            WindowConv(taken, given, window, stride, bias=bias, norms=norms if norms == "layer" or not number else None)
            for number, (taken, (given, window, stride)) in enumerate(zip(inputs, windows, strict=False))
        )
        self.field, self.hop = (
            field_of([(window, stride) for _, window, stride in windows]),
            math.prod(s for _, _, s in windows),
        )
        self.norm = norm("layer", inputs[-1], eps)
        self.map, self.dropout = linear(inputs[-1], dim), Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        there = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        lengths = (mask * there).amax(1)
        real = lengths > 0
        lengths = torch.where(real, lengths.clamp_min(self.field), 0)
        # Padding changes nothing, and an exported network need not ask whether a single frame is left.
        short = self.field + self.hop if torch.compiler.is_exporting() else max(0, self.field - mask.shape[1])
        states = F.pad(zeroed(states, mask), (0, 0, 0, short))
        for layer in self.layers:
            states, lengths = layer(states, lengths)
        kept = within(lengths, states.shape[1]) & real[:, None]
        return zeroed(self.dropout(self.map(self.norm(states))), kept), kept


def field_of(windows: Sequence[tuple[int, int]]) -> int:
    """How many units the last of such convolutions sees, given `(window, stride)` of each from the first on."""
    field = 1
    for window, stride in reversed(windows):
        field = (field - 1) * stride + window
    return field


class ConvolvedPositions(nn.Module):
    """Where a unit stands, by what stands around it: a grouped convolution and GELU, added to the state. Of an even window the larger half lies behind.
    `(B, T, D)` -> `(B, T, D)`. Its weight is one tensor: theirs, which is normed (Salimans & Kingma 2016), is made so when it is read."""

    def __init__(self, dim: int, window: int, groups: int) -> None:
        super().__init__()
        self.window = window
        self.conv = nn.Conv1d(dim, dim, window, padding=window // 2, groups=groups)
        nn.init.normal_(self.conv.weight, std=2 * (window * dim) ** -0.5)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        found = self.conv(zeroed(states, mask).transpose(1, 2)).transpose(1, 2)[:, : states.shape[1]]
        return states + zeroed(F.gelu(found), mask)
