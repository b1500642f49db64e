"""From states of a text to frames of sound, all at once: which frames belong to which unit, how long each unit is said, and what is heard in each frame.

Shapes: B rows, N units, T frames, D width of a unit's state, W width of a frame's, M mel bands.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.alignment import NEVER, diagonal
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import stacked
from zhuji.nn.conformer import ConformerBlock
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import linear, norm, zeroed
from zhuji.nn.positions import Rotary, positions

_SURE = 10.0
"""Nats that a mean squared error of one costs, over all bands of a frame: neighbouring bands say much the same, so they count as so many, not as each."""
_FIRST = 1.5
"""Logarithm of the frames that a unit has before anything is learned."""


class Aligner(nn.Module):
    """How likely a frame is in a unit: the squared distance between the frame and the frame that is expected of the unit (Kim et al. 2020, Glow-TTS, section 3.1), and where on the
    diagonal both lie (Badlani et al. 2021, section 2.3). Badlani et al. ask which unit a frame belongs to; an encoder that sees the whole text then learns to name any cut, also a
    wrong one. Who must foresee the frame cannot."""

    def __init__(self, dim: int, bands: int) -> None:
        super().__init__()
        self.mean = linear(dim, bands, gain=0.01)

    def forward(self, states: Tensor, mask: Tensor, frames: Tensor, real: Tensor) -> Tensor:
        """`states (B, N, D)` with `mask (B, N)`, normalised `frames (B, T, M)` with `real (B, T)` -> `(B, T, N)` float32, log-likelihoods up to a constant."""
        mean = self.mean(states).float()
        # Where halves are computed in, a difference of large products would not be one.
        with torch.autocast(states.device.type, enabled=False):
            far = frames.square().sum(2)[:, :, None] - 2 * frames @ mean.mT + mean.square().sum(2)[:, None]
        near = diagonal(real.sum(1), mask.sum(1), (real.shape[1], mask.shape[1])) - _SURE * far / frames.shape[2]
        return near.masked_fill(mask.logical_not()[:, None], NEVER).clamp_min(NEVER)


class Durations(nn.Module):
    """How long each unit is said: `(B, N, D)` -> `(B, N)`, logarithms of frames (Ren et al. 2019, FastSpeech, section 3.3). What it learns moves nothing but itself."""

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList((MaskedConv1d(dim, width, 3), MaskedConv1d(width, width, 3)))
        self.norms = nn.ModuleList(norm("layer", width) for _ in self.layers)
        self.dropout, self.exit = Dropout(dropout), linear(width, 1)
        nn.init.constant_(self.exit.bias, _FIRST)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        states = states.detach()
        for layer, norms in zip(self.layers, self.norms, strict=True):
            states = self.dropout(norms(F.relu(layer(states, mask))))
        return self.exit(states).squeeze(2).float()


def deviance(logs: Tensor, durations: Tensor) -> Tensor:
    """`logs` of expected frames and `durations`, both `(B, N)` -> `(B, N)` float64: d / m - 1 - log(d / m), half the deviance of a gamma distribution
    (McCullagh & Nelder 1989, section 8.3), which is least for the mean. The squared error of logarithms, which FastSpeech has, is least for
    the geometric mean: durations vary so much that whole texts are then said too fast, by a fifth where it was tried."""
    far = durations.clamp_min(1).double().log() - logs.double()
    return far.exp() - 1 - far


class Sounding(nn.Module):
    """What is heard: the states of the units, each as often as it has frames, and where in its unit a frame lies -> `(B, T, M)`, by blocks of a conformer."""

    def __init__(
        self, dim: int, width: int, bands: int, *, layers: int, heads: int, window: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.enter, self.place = linear(dim, width), linear(2, width)
        self.rotary, self.dropout = Rotary(width // heads), Dropout(dropout)
        self.blocks = stacked(layers, lambda gain: ConformerBlock(
            width, heads, hidden, window, causal=False, dropout=dropout, gain=gain
        ), branches=4)  # fmt: skip
        self.exit = linear(width, bands)

    def forward(self, states: Tensor, place: Tensor, real: Tensor) -> Tensor:
        states = self.dropout(self.enter(states) + self.place(place))
        may_see, angles = biases(allowed(real, False)), self.rotary.angles(positions(real))
        for block in self.blocks:
            states = block(states, real, may_see, angles)
        return zeroed(self.exit(states).float(), real)
