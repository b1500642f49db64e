"""Noise taken away without anything learned: what stands beside a network that cleans sounds.

Shapes: B rows, S samples, T frames, F frequencies.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zhuji.nn.sounds.spectra import istft, stft

SMOOTH = 0.98
"""How much the frame before counts (Ephraim & Malah 1984, section IV)."""
_LEAST = 10 ** (-25 / 20)
"""Of a gain: what is left of noise hides that it comes and goes."""
_SPEECH = 10 ** (15 / 10)
"""A-priori signal-to-noise ratio of speech that is present (Gerkmann & Hendriks 2012)."""
_FOLLOW, _STAY = 0.8, 0.9
_QUIETEST = 0.1
"""Share of a row's frames that noise is first estimated from."""


def wiener(samples: Tensor, length: int, hop: int) -> Tensor:
    """`(B, S)` -> `(B, S)`: a Wiener filter whose a-priori signal-to-noise ratio is decided on from frame to frame (Ephraim & Malah 1984, equation 51),
    over noise that is followed by how likely speech is (Gerkmann & Hendriks 2012), beginning with the row's quietest frames.
    `length`, `hop`: of the windows, in samples."""
    spectra = stft(samples, length, hop, length)
    power = spectra.real.square() + spectra.imag.square()
    gains = gains_of(power)
    return istft(spectra * gains, length, hop, samples.shape[-1])


def gains_of(power: Tensor) -> Tensor:
    """`power (B, T, F)` of noisy frames -> what their spectra are multiplied with, `(B, T, F)`."""
    frames = power.shape[1]
    quiet = power.sum(-1).argsort(1)[:, : max(1, round(_QUIETEST * frames))]
    noise = power.gather(1, quiet[..., None].expand(-1, -1, power.shape[-1])).mean(1).clamp_min(1e-12)
    likely, before = torch.full_like(noise, 0.5), torch.zeros_like(noise)
    found: list[Tensor] = []
    for now in power.unbind(1):
        present = 1 / (1 + (1 + _SPEECH) * torch.exp(-(now / noise).clamp_max(200) * _SPEECH / (1 + _SPEECH)))
        likely = _STAY * likely + (1 - _STAY) * present
        present = torch.where(likely > 0.99, present.clamp_max(0.99), present)
        noise = (_FOLLOW * noise + (1 - _FOLLOW) * (present * noise + (1 - present) * now)).clamp_min(1e-12)
        prior = SMOOTH * before / noise + (1 - SMOOTH) * (now / noise - 1).clamp_min(0)
        gain = (prior / (1 + prior)).clamp_min(_LEAST)
        before = gain.square() * now
        found.append(gain)
    return torch.stack(found, 1)
