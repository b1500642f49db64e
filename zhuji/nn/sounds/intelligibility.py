"""How well speech is understood, as something to learn from: how alike envelopes of third-octave bands move over short times.

Shapes: B rows, T frames, F frequencies, K bands, S segments of N frames.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LOWEST, _BANDS = 150.0, 15
"""Hertz of the lowest band's middle; a third of an octave lies between two."""
_SEGMENT = 0.384
"""Seconds of a segment."""
_SILENT = 40.0
"""Decibels below the loudest frame from which one counts as silence."""
_WORST = 10 ** (15 / 20)
"""Share of the recording by which an envelope may exceed it; what is more changes nothing."""
_SPARED = 0.02
"""What a correlation may lack of 1 without being minded much."""
_TINY = 1e-8


def bands(rate: int, size: int) -> Tensor:
    """`(F, K)` of zeros and ones: frequencies of each third octave below half the rate (Taal et al. 2011, section II). Bands too narrow to hold a
    frequency of their own are left out."""
    places = torch.arange(size) * (rate / 2 / (size - 1))
    middles = _LOWEST * 2.0 ** (torch.arange(_BANDS) / 3)
    low, high = middles * 2 ** (-1 / 6), middles * 2 ** (1 / 6)
    inside = (places[:, None] >= low) & (places[:, None] < high)
    return inside[:, inside.any(0) & (high <= rate / 2)].float()


def alike(found: Tensor, wanted: Tensor, real: Tensor, *, rate: int, hop: int) -> tuple[Tensor, Tensor]:
    """What STOI is the mean of (Taal et al. 2011, equations 1 to 5; as a loss: Kolbæk et al. 2020, section II-D), on the frames of spectra `(B, T, F)` as
    they are, `hop` samples apart, in place of its own: the correlation of envelopes in each segment and band, `(B, S, K)` of -1 to 1, and which of the
    segments hold nothing but speech, `(B, S)`. `real (B, T)`: frames that count."""
    count = max(2, round(_SEGMENT * rate / hop))
    bank = bands(rate, wanted.shape[-1]).to(wanted.device)
    powers = [of.real.square() + of.imag.square() for of in (found, wanted)]
    energy = powers[1].sum(-1).masked_fill(~real, 0)
    loud = energy > energy.amax(1, keepdim=True) * 10 ** (-_SILENT / 10)
    order = (~loud).to(torch.uint8).argsort(dim=1, stable=True)[..., None]
    # In 8 bits correlations near 1 are all alike.
    with torch.autocast(bank.device.type, enabled=False):
        ours, theirs = ((of @ bank + _TINY).sqrt() for of in powers)
    # Frames of silence go to the end, as if they had been cut out, and behind them as many as a segment lacks: (B, S, K, N).
    behind = (0, 0, 0, max(0, count - wanted.shape[1]))
    ours, theirs = (
        F.pad(of.gather(1, order.expand(-1, -1, of.shape[-1])), behind).unfold(1, count, 1) for of in (ours, theirs)
    )
    level = theirs.norm(dim=-1, keepdim=True) / ours.norm(dim=-1, keepdim=True)
    each = _correlation((ours * level).minimum(theirs * (1 + _WORST)), theirs)
    whole = torch.arange(each.shape[1], device=each.device) + count <= loud.sum(1, keepdim=True)
    return each, whole


def missed(found: Tensor, wanted: Tensor, real: Tensor, *, rate: int, hop: int) -> Tensor:
    """`(B,)`: what `alike` lacks of 1, in decibels: the mean over segments and bands, -17 where all is understood and 0 where nothing is. Each is weighed by
    its own share, so that a band taken out of hardly any noise, which STOI's mean hardly notices, is missed as much as speech under loud noise, which
    nothing brings back. A row with less than a segment of speech has 0: nothing is to be learned from it."""
    each, whole = alike(found, wanted, real, rate=rate, hop=hop)
    decibels = 10 * (1 + _SPARED - each).log10().mean(-1)
    return (decibels * whole).sum(1) / whole.sum(1).clamp_min(1)


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    """Correlation along the last axis."""
    one, other = (of - of.mean(-1, keepdim=True) for of in (one, other))
    return (one * other).sum(-1) / (one.square().sum(-1) * other.square().sum(-1) + _TINY**2).sqrt()
