"""Sounds out of magnitudes alone: phases are sought that agree with each other.

Shapes: B rows, S samples, T frames, F frequencies, M mel bands.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zhuji.nn.sounds.spectra import istft, stft

MOMENTUM = 0.99
"""As fast Griffin-Lim has it."""


def griffin_lim(
    magnitudes: Tensor, length: int, hop: int, samples: int, *, steps: int = 32, chance: torch.Generator | None = None,
    phases: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """`magnitudes (B, T, F)` -> `(B, samples)`. Griffin and Lim 1984, with the momentum of Perraudin, Balazs and Sondergaard 2013 (algorithm 2).
    `phases (B, T, F)`: where they begin; None: at random by `chance`, or else at zero."""
    fft = 2 * (magnitudes.shape[-1] - 1)
    angles = torch.polar(torch.ones_like(magnitudes), torch.zeros_like(magnitudes) if phases is None else phases)
    if phases is None and chance is not None:
        drawn = torch.rand(magnitudes.shape, generator=chance, device=chance.device).to(magnitudes)
        angles = torch.exp(2j * math.pi * drawn)
    before = torch.zeros_like(angles)
    for _ in range(steps):
        rebuilt = stft(istft(magnitudes * angles, length, hop, samples), length, hop, fft)
        moved = rebuilt - before * (MOMENTUM / (1 + MOMENTUM))
        angles, before = moved / moved.abs().clamp_min(1e-16), rebuilt
    return istft(magnitudes * angles, length, hop, samples)


def magnitudes_of(logs: Tensor, bank: Tensor) -> Tensor:
    """Log-mel `(B, T, M)` -> magnitudes `(B, T, F)` whose bands have about these energies: the least squares solution, without what is below
    zero. Mel bands tell less than a spectrum, so this is a guess."""
    power = logs.exp() @ torch.linalg.pinv(bank.to(logs))
    return power.clamp_min(0).sqrt()
