"""Speech in noise and in rooms, made of samples: what a network that cleans sounds learns from.

Unlike `variation`, which adds powers in mel bands for networks that read those, this keeps phases: the sum is what a microphone hears.
Shapes: B rows, S samples, N samples of a recording.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

_DECAY = 6.907755278982137
"""ln 1000: an echo is called gone when it is 60 decibels softer."""
EARLY = 0.05
"""Seconds behind a sound in which its echoes belong to it: they help to understand it (Bradley, Sato & Picard 2003), and lie within the frames of a mask."""
_FIRST = 0.002
"""Seconds until the first echo comes back."""
_ABOVE = 0.55
"""Share of the frequencies below which what a resampler's edge lets through still lies."""
_NOTHING = 3e-6
"""Share of the energy, -55 decibels: spoken digits of 8 kHz brought to 16 have -118 to -60 there, wide recordings of speech -25 in the median, below -55 in a few of a hundred."""

_LEVEL, _SOFTEST = 0.1, 1e-4
"""Shares of full scale: as loud as networks hear rows, and what is softer is hardly a recording."""
_TURN = 0.5
"""Seconds after which loudness turns."""
_COLOUR = 3 / 8
"""Greatest coefficient of a made-up microphone."""


def mixed(sound: Tensor, noise: Tensor, snr: Tensor) -> Tensor:
    """`sound (B, S)` with `noise (B, S)` so loud that over the whole row the sound has `snr (B,)` decibels more energy. Nothing is added to a row
    of silence, nor of silent noise: there is no such level."""
    energy, under = (of.double().square().sum(-1) for of in (sound, noise))
    level = (energy / (under * 10.0 ** (snr.double() / 10)).clamp_min(torch.finfo(torch.float64).tiny)).sqrt()
    level = level.masked_fill(under == 0, 0.0)
    return sound + noise * level.to(noise)[:, None]


def stretch(recording: Tensor, length: int, start: float) -> Tensor:
    """`(length,)` of a recording `(N,)`, from the share `start` of it on; round and round where it is too short, and from anywhere then."""
    size = len(recording)
    first = int(start * (size - length + 1)) if size > length else int(start * size)
    return recording[(torch.arange(length, device=recording.device) + first) % size]


def played(sound: Tensor, factor: float) -> Tensor:
    """`(S,)` played `factor` times as fast, pitch and all: `(round(S / factor),)`, whose spectrum is the old one, cut off or with nothing above. The factor
    is met to about a hundredth: both Fourier transforms have sizes that they are fast at."""
    given, size = _quick(len(sound)), max(1, round(len(sound) / factor))
    whole = _quick(max(1, round(given / factor)))
    spectrum = torch.fft.rfft(sound, n=given)
    wanted = whole // 2 + 1
    kept = F.pad(spectrum[:wanted], (0, max(0, wanted - len(spectrum))))
    return fitted(torch.fft.irfft(kept, n=whole) * (whole / given), size)


def _quick(size: int) -> int:
    """The least even size from there on that has no prime factor above 5: a Fourier transform of a large prime takes five times as long."""
    from scipy.fft import next_fast_len

    return 2 * cast(int, next_fast_len((size + 1) // 2, real=True))


def loudening(sound: Tensor, lengths: Tensor) -> Tensor:
    """`(B, 1)`: the factor by which each row of `sound (B, S)`, silent behind `lengths (B,)`, becomes as loud as a tenth of full scale, by the root of its
    mean square; what is softer than -80 decibels is lifted by 60 and no more."""
    loud = (sound.double().square().sum(1) / lengths.clamp_min(1)).sqrt().clamp_min(_SOFTEST)
    return (_LEVEL / loud).to(sound)[:, None]


def microphone(chance: Generator) -> Callable[[Tensor], Tensor]:
    """What a made-up microphone makes of sounds `(S,)`: a filter of two poles and two zeros whose four coefficients are uniform within three eighths (Valin
    2018); peaks and dips are of up to about 13 decibels."""
    above, below = ((torch.rand(2, 2, generator=chance).double() * 2 - 1) * _COLOUR).unbind()

    def heard(sound: Tensor) -> Tensor:
        size = _quick(len(sound))
        turn = torch.arange(size // 2 + 1, device=sound.device) * (-2 * math.pi / size)
        first, second = (torch.polar(torch.ones_like(angle), angle) for angle in (turn.double(), 2 * turn.double()))
        answer = (1 + above[0] * first + above[1] * second) / (1 + below[0] * first + below[1] * second)
        return torch.fft.irfft(torch.fft.rfft(sound, n=size) * answer.to(torch.complex64), n=size)[: len(sound)]

    return heard


def swelled(sound: Tensor, rate: int, decibels: float, chance: Generator) -> Tensor:
    """`(S,)` that grows louder and softer on its way, by at most so many decibels either way, in straight lines of half a second: as somebody who turns
    away, or says some words more softly."""
    size = max(2, 1 + math.ceil((len(sound) - 1) / (_TURN * rate)))
    turns = decibels * (2 * torch.rand(size, generator=chance) - 1)
    curve = F.interpolate(turns[None, None], size=len(sound), mode="linear", align_corners=True)[0, 0]
    return sound * 10 ** (curve.to(sound) / 20)


def narrowed(sound: Tensor) -> Tensor:
    """`(S,)` without its upper half of frequencies, as if it had come through a channel of half the rate."""
    size = _quick(len(sound))
    spectrum = torch.fft.rfft(sound, n=size)
    spectrum[len(spectrum) // 2 :] = 0
    return torch.fft.irfft(spectrum, n=size)[: len(sound)]


def narrow(sound: Tensor) -> bool:
    """Whether a sound `(S,)` has nothing to speak of in its upper half of frequencies: it has come through such a channel."""
    powers = torch.fft.rfft(sound, n=_quick(len(sound))).abs().double().square()
    return bool(powers[int(len(powers) * _ABOVE) :].sum() < _NOTHING * powers.sum())


def fitted(sound: Tensor, length: int) -> Tensor:
    """`(length,)`: the beginning of it, and silence behind."""
    return F.pad(sound, (0, max(0, length - len(sound))))[:length]


def coloured(length: int, slope: float, chance: Generator) -> Tensor:
    """`(length,)` of noise whose power falls by `slope` decibels an octave: 0 is white, 3 pink, 6 brown."""
    spectrum = torch.fft.rfft(torch.randn(length, generator=chance))
    places = torch.arange(len(spectrum)).clamp_min(1).float()
    return torch.fft.irfft(spectrum * places ** (-slope / 6.0206), n=length)


def room(seconds: float, direct: float, rate: int, chance: Generator) -> Tensor:
    """`(N,)`: how a made-up room answers a click: the click itself, then noise that decays by 60 decibels in so many `seconds` (Polack 1988), all of it
    `direct` decibels softer than the click."""
    size, first = max(2, round(seconds * rate)), max(1, round(_FIRST * rate))
    tail = torch.randn(size, generator=chance) * torch.exp(-_DECAY * torch.arange(size) / (seconds * rate))
    tail[:first] = 0
    tail = tail * (10 ** (-direct / 20) / tail.square().sum().sqrt().clamp_min(1e-12))
    tail[0] = 1.0
    return tail


def echoed(sound: Tensor, answer: Tensor) -> Tensor:
    """`(S,)` as it sounds in a room that answers a click with `answer (N,)`; what rings after the end is cut off."""
    size = 1 << (len(sound) + len(answer) - 1).bit_length()
    spectra = torch.fft.rfft(F.pad(sound, (0, size - len(sound)))) * torch.fft.rfft(F.pad(answer, (0, size - len(answer))))
    return torch.fft.irfft(spectra, n=size)[: len(sound)]
