"""Frames of sound as samples by a network that says a short-time spectrum, and how far such samples are from a recording.

Shapes: B rows, T frames, M mel bands, F frequencies, D width of a state, S = (T - 1) * step samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zhuji.core.framing import Frames, Framing
from zhuji.nn.layers import linear
from zhuji.nn.sounds.framed import bank_of, frames_of_rows
from zhuji.nn.sounds.spectra import istft, stft

RESOLUTIONS = ((1024, 256), (512, 128), (256, 64))
"""Samples of a window and from frame to frame, of the spectra by which samples are judged."""
_QUIET = 1e-10
"""Power of a frequency that counts as silence."""
_TINY = 1e-7
_LOUDEST = 5.0
"""Logarithm of the largest magnitude of a spectrum (Vocos: 100)."""


class SpectrumHead(nn.Module):
    """States `(B, T, D)` -> magnitude and phase of each frequency, and by the inverse short-time transform samples (Siuzdak 2023, Vocos, section 3.3).
    What is learned of a magnitude is by how much it is louder than in the least squares inverse of the mel bands (Lv et al. 2024, FreeV, section 2.2)."""

    mean: Tensor
    deviation: Tensor
    inverse: Tensor

    def __init__(self, frames: Frames, dim: int) -> None:
        super().__init__()
        self.framing, bands = frames.framing, frames.framing.bands
        self.size = self.framing.points // 2 + 1
        self.out = linear(dim, 2 * self.size)
        # Where a network is only planned, on no device, these are numbers all the same.
        with torch.device("cpu"):
            self.register_buffer("mean", torch.tensor(frames.mean or [0.0] * bands), persistent=False)
            self.register_buffer("deviation", torch.tensor(frames.deviation or [1.0] * bands), persistent=False)
            self.register_buffer("inverse", torch.linalg.pinv(bank_of(self.framing)), persistent=False)

    def logs(self, values: Tensor) -> Tensor:
        """Normalised frames as logarithms of powers, `(B, T, M)`."""
        return values.float() * self.deviation + self.mean

    def said(self, states: Tensor, logs: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of magnitudes, and phases, `(B, T, F)` each. `logs (B, T, M)`: the frames."""
        louder, phase = self.out(states).float().chunk(2, -1)
        powers = logs.masked_fill(logs <= self.framing.floor, -torch.inf).exp() @ self.inverse
        return (louder + 0.5 * powers.clamp_min(_QUIET).log()).clamp_max(_LOUDEST), phase

    def forward(self, loud: Tensor, phase: Tensor, real: Tensor) -> Tensor:
        """What `said` gives as samples. `real (B, T)`: which frames there are; samples behind a row's last one are zero."""
        spectra = torch.polar(loud.exp(), phase).masked_fill(real.logical_not()[..., None], 0.0)
        step = self.framing.step
        found = istft(spectra, self.framing.span, step, (loud.shape[1] - 1) * step, real)
        return found.masked_fill(sounding(real, step).logical_not(), 0.0)

    def magnitude_error(self, loud: Tensor, wanted: Tensor, real: Tensor) -> Tensor:
        """`(B,)`: over the frames of a row the sum of mean absolute errors of the logarithms `loud (B, T, F)` of magnitudes, those of samples `wanted (B, S)` being
        right (Ai & Ling 2023, APNet, section III C, with absolute errors)."""
        spectra = stft(wanted, self.framing.span, self.framing.step, self.framing.points)
        right = 0.5 * (spectra.real.square() + spectra.imag.square()).clamp_min(_QUIET).log()
        wrong = (loud.clamp_min(math.log(_QUIET) / 2) - right).abs().mean(2)
        return wrong.masked_fill(real.logical_not(), 0.0).sum(1)


def sounding(real: Tensor, step: int) -> Tensor:
    """`real (B, T)` -> `(B, S)`: samples between a row's first frame and its last."""
    return real[:, 1:].repeat_interleave(step, 1)


def mel_error(found: Tensor, logs: Tensor, real: Tensor, framing: Framing) -> Tensor:
    """`(B,)`: over the frames of a row the sum of mean absolute errors of its bands, samples `found (B, S)` against `logs (B, T, M)`."""
    wrong = (frames_of_rows(found, framing) - logs).abs().mean(2)
    return wrong.masked_fill(real.logical_not(), 0.0).sum(1)


def spectral_error(found: Tensor, wanted: Tensor, lasting: Tensor) -> Tensor:
    """`(B,)`: spectral convergence and mean absolute error of logarithms of magnitudes, mean of the resolutions (Yamamoto et al. 2020, Parallel WaveGAN,
    section 2.2). Samples `(B, S)`, of which `lasting (B,)` are a row's and the others zero."""
    total = torch.zeros(len(found), device=found.device)
    for length, hop in RESOLUTIONS:
        ours, theirs = (_magnitudes(samples, length, hop) for samples in (found, wanted))
        count = 1 + torch.div(lasting, hop, rounding_mode="floor")
        real = torch.arange(ours.shape[1], device=ours.device)[None] < count[:, None]
        apart, whole = (_length(of.masked_fill(real.logical_not()[..., None], 0.0)) for of in (theirs - ours, theirs))
        logs = (theirs.log() - ours.log()).abs().mean(2).masked_fill(real.logical_not(), 0.0).sum(1) / count
        total = total + apart / whole + logs
    return total / len(RESOLUTIONS)


def _magnitudes(samples: Tensor, length: int, hop: int) -> Tensor:
    spectra = stft(samples, length, hop, length)
    return (spectra.real.square() + spectra.imag.square() + _TINY).sqrt()


def _length(of: Tensor) -> Tensor:
    return (of.square().flatten(1).sum(1) + _TINY).sqrt()
