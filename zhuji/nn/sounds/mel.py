"""Features that hear as ears do: energies on the mel scale, their logarithms and cepstra.

Shapes: B rows, T frames, F frequencies, M mel bands, N cepstral numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from zhuji.nn.sounds.spectra import stft

Scale = Literal["slaney", "htk"]

FLOOR = 1e-10
"""Power that counts as silence."""
_LINEAR, _BREAK, _STEP = 200 / 3, 1_000.0, math.log(6.4) / 27


def to_mel(hertz: Tensor, scale: Scale) -> Tensor:
    """Slaney 1998, Auditory Toolbox: linear below 1,000 Hz, logarithmic above. HTK (Young et al., The HTK Book, equation 5.13)."""
    if scale == "htk":
        return 2595.0 * torch.log10(1.0 + hertz / 700.0)
    return torch.where(hertz < _BREAK, hertz / _LINEAR, _BREAK / _LINEAR + torch.log(hertz.clamp_min(_BREAK) / _BREAK) / _STEP)


def from_mel(mel: Tensor, scale: Scale) -> Tensor:
    """The inverse."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    edge = _BREAK / _LINEAR
    return torch.where(mel < edge, mel * _LINEAR, _BREAK * torch.exp(_STEP * (mel - edge).clamp_min(0)))


def corners_of(bands: int, ends: tuple[float, float], scale: Scale) -> Tensor:
    """`(M + 2,)` float64: hertz where triangles begin, are highest and end, each at the middle of its neighbours."""
    low, high = to_mel(torch.tensor(ends, dtype=torch.float64), scale).tolist()
    return from_mel(torch.linspace(low, high, bands + 2, dtype=torch.float64), scale)


@lru_cache(maxsize=32)
def filters(rate: int, fft: int, bands: int, ends: tuple[float, float], scale: Scale) -> Tensor:
    """`(F, M)` float32: triangles whose corners are equally far apart in mel. Slaney's have equal areas, HTK's equal heights. Not to be changed."""
    corners = corners_of(bands, ends, scale)
    hertz = torch.linspace(0, rate / 2, fft // 2 + 1, dtype=torch.float64)[:, None]
    rising = (hertz - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - hertz) / (corners[2:] - corners[1:-1])
    found = torch.minimum(rising, falling).clamp_min(0)
    if scale == "slaney":
        found = found * (2.0 / (corners[2:] - corners[:-2]))
    return found.float()


def log_mel(spectra: Tensor, bank: Tensor) -> Tensor:
    """Natural logarithms of the power in each band: complex `(B, T, F)` -> `(B, T, M)`, nowhere below that of FLOOR."""
    power = spectra.real**2 + spectra.imag**2
    # In bf16 it is off by up to 0.04 nats: what is learned from, and measured by, must not hang on what the network computes in.
    with torch.autocast(power.device.type, enabled=False):
        return (power @ bank.to(power)).clamp_min(FLOOR).log()


WHISPER = (-4 * math.log(10), 4 * math.log(10))
"""Mean and deviation by which Whisper's numbers are those of `whisper_log_mel`: (log10 of the power + 4) / 4."""
_WHISPER_SPAN = 8 * math.log(10)


def whisper_log_mel(samples: Tensor, bank: Tensor, span: int, hop: int, whole: int) -> Tensor:
    """Log-mel as Whisper hears it (Radford et al. 2023, section 2.2, and its published code): `samples (S,)` -> `(ceil(S / hop), M)` natural logarithms,
    nowhere more than 80 decibels below the loudest. The Fourier transform has as many points as the window (`span`), and before its beginning the sound is
    turned round. Silence follows up to `whole` samples, behind which a sound that is as long is turned round too; frames of silence alone are left out."""
    count = max(1, -(-len(samples) // hop))
    silence = max(0, min(span, whole - len(samples)))
    spectra = stft(F.pad(samples, (0, silence))[None], span, hop, span, "reflect")[:, :-1]
    logs = log_mel(spectra, bank)[0]
    return logs.clamp_min(float(logs.max()) - _WHISPER_SPAN)[:count]


@lru_cache(maxsize=8)
def cosines(bands: int, count: int) -> Tensor:
    """`(M, N)`: the first columns of the orthonormal DCT of type 2. Not to be changed."""
    places = (
        (torch.arange(bands, dtype=torch.float64)[:, None] + 0.5) * torch.arange(count, dtype=torch.float64) * math.pi / bands
    )
    found = torch.cos(places) * math.sqrt(2.0 / bands)
    found[:, 0] /= math.sqrt(2.0)
    return found.float()


def cepstra(logs: Tensor, count: int, span: float | None = None) -> Tensor:
    """MFCC (Davis and Mermelstein 1980), in decibels: log-mel `(B, T, M)` -> `(B, T, N)`. `span`: decibels below a row's loudest band from which
    nothing counts; None: everything does."""
    decibels = logs * (10 / math.log(10))
    if span is not None:
        decibels = decibels.maximum(decibels.amax((-2, -1), keepdim=True) - span)
    return decibels @ cosines(logs.shape[-1], count).to(decibels)
