"""How well speech is understood, as something to learn from: how alike envelopes of third-octave bands move over short times.

Shapes: B rows, T frames, F frequencies, K bands, N frames of a segment.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOWEST, _BANDS = 150.0, 15
"""Hertz of the lowest band's middle; a third of an octave lies between two."""
_SEGMENT = 0.384
"""Seconds of a segment."""
_SILENT = 40.0
"""Decibels below the loudest frame from which one counts as silence."""
_WORST = 10 ** (15 / 20)
"""Share of the recording by which an envelope may exceed it; what is more changes nothing."""
_TINY = 1e-8


def bands(rate: int, size: int) -> Tensor:
    """`(F, K)` of zeros and ones: frequencies of each third octave below half the rate (Taal et al. 2011, section II). Bands too narrow to hold a
    frequency of their own are left out."""
    places = torch.arange(size) * (rate / 2 / (size - 1))
    middles = _LOWEST * 2.0 ** (torch.arange(_BANDS) / 3)
    low, high = middles * 2 ** (-1 / 6), middles * 2 ** (1 / 6)
    inside = (places[:, None] >= low) & (places[:, None] < high)
    return inside[:, inside.any(0) & (high <= rate / 2)].float()


def understood(found: Tensor, wanted: Tensor, real: Tensor, *, rate: int, hop: int) -> Tensor:
    """`(B,)` of -1 to 1: STOI (Taal et al. 2011, equations 1 to 6; as a loss: Kolbæk et al. 2020, section II-D) on the frames of spectra `(B, T, F)` as
    they are, `hop` samples apart, in place of its own. `real (B, T)`: frames that count. A row with less than a segment of speech has 1: nothing is to be
    learned from it."""
    count = max(2, round(_SEGMENT * rate / hop))
    if wanted.shape[1] < count:
        return found.real.sum((1, 2)) * 0 + 1
    bank = bands(rate, wanted.shape[-1]).to(wanted.device)
    powers = [of.real.square() + of.imag.square() for of in (found, wanted)]
    energy = powers[1].sum(-1).masked_fill(~real, 0)
    loud = energy > energy.amax(1, keepdim=True) * 10 ** (-_SILENT / 10)
    order = (~loud).to(torch.uint8).argsort(dim=1, stable=True)[..., None]
    # In 8 bits correlations near 1 are all alike.
    with torch.autocast(bank.device.type, enabled=False):
        ours, theirs = ((of @ bank + _TINY).sqrt() for of in powers)
    # Frames of silence go to the end, as if they had been cut out: (B, T - N + 1, K, N).
    ours, theirs = (of.gather(1, order.expand(-1, -1, of.shape[-1])).unfold(1, count, 1) for of in (ours, theirs))
    level = theirs.norm(dim=-1, keepdim=True) / ours.norm(dim=-1, keepdim=True)
    alike = _alike((ours * level).minimum(theirs * (1 + _WORST)), theirs).mean(-1)
    whole = torch.arange(alike.shape[1], device=alike.device) + count <= loud.sum(1, keepdim=True)
    total = (alike * whole).sum(1) / whole.sum(1).clamp_min(1)
    return torch.where(whole.any(1), total, torch.ones_like(total))


def _alike(one: Tensor, other: Tensor) -> Tensor:
    """Correlation along the last axis."""
    one, other = (of - of.mean(-1, keepdim=True) for of in (one, other))
    return (one * other).sum(-1) / (one.square().sum(-1) * other.square().sum(-1) + _TINY**2).sqrt()
