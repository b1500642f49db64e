"""A first layer for units that are samples: what a network sees of them is the logarithm of their short-time spectrum.

Shapes: B rows, T units of H samples, F frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.layers import linear, zeroed
from zhuji.nn.sounds.spectra import stft

FLOOR = 1e-6
"""Power that counts as silence: that of noise 80 decibels below full scale."""
_QUIET = 1e-7
"""Added to a variance."""


def samples_of(units: Units) -> Tensor:
    """`(B, T * H)`: the units' samples one behind the other, silence where nothing is real."""
    assert units.values is not None
    return zeroed(units.values, units.mask).flatten(1)


def standard(samples: Tensor) -> Tensor:
    """`(S,)` -> `(S,)`: at mean 0 and deviation 1, as wav2vec 2.0 is given sounds (Baevski et al. 2020, section 2); silence stays silent."""
    wide = samples.double()
    return ((wide - wide.mean()) / (wide.var(correction=0) + _QUIET).sqrt()).to(samples.dtype)


def log_power(samples: Tensor, span: int, hop: int, points: int) -> Tensor:
    """`(B, T * hop)` -> `(B, T, F)`: one frame for each unit, centred at its beginning."""
    spectra = stft(samples, span, hop, points)[:, : samples.shape[-1] // hop]
    return (spectra.real.square() + spectra.imag.square() + FLOOR).log()


class SpectrumStem(nn.Module):
    """`values (B, T, H)` -> `states (B, T, dim)`: a linear map of log power, normalised by `mean` and `deviation (F,)`; padding is zero."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, sizes: tuple[int, int, int], dim: int, mean: Sequence[float], deviation: Sequence[float]) -> None:
        """`sizes`: samples of a window, from frame to frame, and of the Fourier transform."""
        super().__init__()
        self.sizes = sizes
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))
        self.map = linear(sizes[2] // 2 + 1, dim)

    def forward(self, units: Units) -> Features:
        seen = (log_power(samples_of(units), *self.sizes) - self.mean) / self.deviation
        return Features(zeroed(self.map(seen), units.mask), units.mask, units.segments)
