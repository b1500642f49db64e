"""Short-time spectra of sounds (Allen and Rabiner 1977), there and back.

Shapes: B rows, S samples, T frames, F = fft // 2 + 1 frequencies. Frame t is centred at sample t * hop; a row of S samples has 1 + S // hop of
them, and silence stands before its beginning and behind its end. So what follows a row in a padded batch, being silence as well, changes no
frame of its own.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Edges = Literal["constant", "reflect"]


def frames_of(samples: int | Tensor, hop: int) -> int | Tensor:
    """T of rows of so many samples."""
    return 1 + samples // hop


def window(length: int, fft: int) -> Tensor:
    """`(fft,)`: a periodic Hann window of `length` samples, with zeros around it where a frame is longer."""
    before = (fft - length) // 2
    return F.pad(torch.hann_window(length), (before, fft - length - before))


def stft(samples: Tensor, length: int, hop: int, fft: int, edges: Edges = "constant") -> Tensor:
    """`samples (B, S)` -> complex `(B, T, F)`; windows of `length` samples, one every `hop`, each transformed at `fft` points. `edges`: what stands
    before the beginning and behind the end: silence, or the sound turned round (only of one longer than half a window)."""
    padded = F.pad(samples, (fft // 2, fft - fft // 2), edges)
    cut = padded.unfold(-1, fft, hop)[:, : int(frames_of(samples.shape[-1], hop))]
    return torch.fft.rfft(cut * window(length, fft).to(samples))


def istft(spectra: Tensor, length: int, hop: int, samples: int, real: Tensor | None = None) -> Tensor:
    """The inverse, `(B, T, F)` -> `(B, samples)`: frames laid over each other, each weighed by its window, over the sum of the squares (Griffin and
    Lim 1984, equation 6). `real (B, T)`: frames that there are, those of no row being zero; None: all."""
    fft = 2 * (spectra.shape[-1] - 1)
    weight = window(length, fft).to(spectra.real)
    cut = torch.fft.irfft(spectra, n=fft) * weight
    total = _added(cut, hop)
    squares = (weight**2).expand(1, cut.shape[1], fft)
    weights = _added(squares if real is None else squares * real.unsqueeze(-1), hop)
    found = torch.where(weights > 1e-10, total / weights.clamp_min(1e-10), total)[:, fft // 2 :]
    return F.pad(found, (0, max(0, samples - found.shape[-1])))[:, :samples]


def _added(cut: Tensor, hop: int) -> Tensor:
    """Frames `(B, T, fft)` one over the other, each `hop` behind the one before: `(B, fft + (T - 1) * hop)`."""
    rows, count, fft = cut.shape
    size = fft + (count - 1) * hop
    laid = F.fold(cut.transpose(1, 2), (1, size), (1, fft), stride=(1, hop))
    return laid.reshape(rows, size)
