"""A first layer for units that are samples: what a network sees of them is the logarithm of their short-time spectrum.

Shapes: B rows, T units of H samples, F frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features, Units
from zhuji.nn.layers import linear, zeroed
from zhuji.nn.sounds.spectra import stft

FLOOR = 1e-6
"""Power that counts as silence: that of noise 80 decibels below full scale."""
_SMOOTH = 5
"""Units over which powers are smoothed before the quietest are looked for; odd."""
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


def quietest(logs: Tensor, real: Tensor) -> Tensor:
    """`(B, 1, F)`: how much log power `logs (B, T, F)` each frequency has where it is quiet: the harmonic mean, over `real (B, T)` units, of powers that are
    smoothed over five of them. Of speech in steady noise that is nearly the noise, whatever its spectrum (cf. Martin 2001, minimum statistics)."""
    there = real[:, None].to(logs)
    powers = logs.exp().transpose(1, 2) * there
    around, known = (F.avg_pool1d(of, _SMOOTH, 1, _SMOOTH // 2) for of in (powers, there))
    smooth = (around / known.clamp_min(1e-3)).clamp_min(FLOOR)
    rare = (there / smooth).sum(2) / there.sum(2).clamp_min(1)
    return -rare.clamp_min(1e-12).log()[:, None]


class SpectrumStem(nn.Module):
    """`values (B, T, H)` -> `states (B, T, dim)`: a linear map of log power, normalised by `mean` and `deviation (F,)`; padding is zero. With `contrast` of
    how far it lies above the quietest of the row as well: what stands out does so whether it is loud or soft."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        sizes: tuple[int, int, int],
        dim: int,
        mean: Sequence[float],
        deviation: Sequence[float],
        *,
        contrast: bool = False,
    ) -> None:
        """`sizes`: samples of a window, from frame to frame, and of the Fourier transform."""
        super().__init__()
        self.sizes, self.contrast = sizes, contrast
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))
        self.map = linear((sizes[2] // 2 + 1) * (2 if contrast else 1), dim)

    def forward(self, units: Units) -> Features:
        logs = log_power(samples_of(units), *self.sizes)
        seen = (logs - self.mean) / self.deviation
        if self.contrast:
            seen = torch.cat((seen, (logs - quietest(logs, units.mask)) / self.deviation - 1), -1)
        return Features(zeroed(self.map(seen), units.mask), units.mask, units.segments)
