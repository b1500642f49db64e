"""A variational autoencoder of what a sound is made of: numbers that nobody sees tell the powers of speech and of noise, frequency by frequency.

Either is a complex Gaussian of mean 0 whose variance the decoder tells (Bando et al. 2018, section III-A; Leglaive et al. 2018, section 3). In place of a search
for each sound, the encoder reads the noisy one (Fang et al. 2021): the bound holds for any way to choose the hidden numbers.
Shapes: B rows, T frames, F frequencies, Z hidden numbers of a frame, D width of a state.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from zhuji.nn.layers import linear
from zhuji.nn.sounds.waves import FLOOR

_FARTHEST = 20.0
"""Largest logarithm of a variance, either way."""


@dataclass(frozen=True)
class Told:
    """Of each frame: where its hidden numbers lie, `mean` and `log_variance (B, T, Z)`, and the logarithms of the powers of `speech` and `noise (B, T, F)`."""

    mean: Tensor
    log_variance: Tensor
    speech: Tensor
    noise: Tensor

    @property
    def odds(self) -> Tensor:
        """`(B, T, F)`: its sigmoid is the Wiener filter, the mean of speech given the mixture, were the powers right."""
        return self.speech - self.noise


class Powers(nn.Module):
    """`states (B, T, D)` -> `Told`. `drawn (B, T, Z)`: normal numbers by which the hidden ones lie off their mean; None: they are the mean."""

    def __init__(self, dim: int, hidden: int, size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.where = linear(dim, 2 * hidden)
        self.decoder = nn.Sequential(linear(hidden, dim), nn.Tanh(), linear(dim, 2 * size))

    def forward(self, states: Tensor, drawn: Tensor | None) -> Told:
        mean, log_variance = self.where(self.dropout(states)).float().chunk(2, -1)
        log_variance = log_variance.clamp(-_FARTHEST, _FARTHEST)
        hidden = mean if drawn is None else mean + (0.5 * log_variance).exp() * drawn
        speech, noise = self.decoder(hidden).float().clamp(-_FARTHEST, _FARTHEST).chunk(2, -1)
        return Told(mean, log_variance, speech, noise)


def itakura_saito(spectra: Tensor, log_variance: Tensor) -> Tensor:
    """`(B, T, F)` twice -> `(B, T)` nats, none below 0: how much less likely the spectra are than where the variance is their power itself (Févotte, Bertin &
    Durrieu 2009, section 2)."""
    power = spectra.real.square() + spectra.imag.square() + FLOOR
    apart = power.log() - log_variance
    return (apart.exp() - apart - 1).sum(-1)
