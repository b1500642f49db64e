"""Sounds cleaned by a mask over their short-time spectrum, and how far what is left is from what is wanted.

Shapes: B rows, S samples, T frames, F frequencies.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Kind = Literal["real", "complex"]
_TINY = 1e-8


def bounded(raw: Tensor, kind: Kind) -> Tensor:
    """A network's numbers as a mask `(B, T, F)`. real, of `(B, T, F)`: between 0 and 1, phases stay (Wang, Narayanan & Wang 2014). complex, of
    `(B, T, 2F)`: real and imaginary parts, their length pressed below 1 (Hu et al. 2020, DCCRN, equation 4 E), so that phases are mended as well
    (Williamson, Wang & Wang 2016)."""
    if kind == "real":
        return raw.float().sigmoid()
    real, imaginary = raw.float().chunk(2, -1)
    length = (real.square() + imaginary.square() + _TINY).sqrt()
    return torch.complex(real, imaginary) * (length.tanh() / length)


def ideal(wanted: Tensor, given: Tensor, kind: Kind) -> Tensor:
    """The mask of spectra `given (B, T, F)` that leaves `wanted`: exactly, or, real, with the phases of what is given."""
    if kind == "complex":
        return wanted * given.conj() / (given.real.square() + given.imag.square()).clamp_min(1e-20)
    return wanted.abs() / given.abs().clamp_min(1e-10)


def si_sdr(found: Tensor, wanted: Tensor, least: float = 0.0) -> Tensor:
    """`(B,)` float64: decibels by which the part of `found (B, S)` that is `wanted (B, S)`, at whatever level, exceeds the rest (Le Roux et al. 2019,
    equations 4 and 5; means are not taken away). `least`: energy that both count as having at least, so that gradients stay finite."""
    dot = _sum(found * wanted)
    scale = dot / (_sum(wanted * wanted) + least).clamp_min(torch.finfo(torch.float64).tiny)
    target = scale.to(found)[:, None] * wanted
    rest = found - target
    return 10 * torch.log10((_sum(target * target) + least) / (_sum(rest * rest) + least))


def _sum(products: Tensor) -> Tensor:
    return products.sum(-1, dtype=torch.float64)


def compressed_error(found: Tensor, wanted: Tensor, real: Tensor, *, power: float = 0.3, phases: float = 0.3) -> Tensor:
    """`(B,)`: how far spectra `(B, T, F)` are from those wanted, as a share of these, both compressed by `power` as ears do it: of magnitudes, and with
    weight `phases` of the spectra themselves (Ephrat et al. 2018, section 3.3; Braun & Tashev 2020, section 2). `real (B, T)`: frames that count."""
    sizes = [(of.real.square() + of.imag.square() + _TINY) for of in (found, wanted)]
    ours, theirs = (size ** (power / 2) for size in sizes)
    turned = [of * (size ** ((power - 1) / 2)) for of, size in zip((found, wanted), sizes, strict=True)]
    apart = turned[0] - turned[1]
    error = (1 - phases) * (ours - theirs).square() + phases * (apart.real.square() + apart.imag.square())
    there = real.unsqueeze(-1)
    total, whole = ((of * there).flatten(1).sum(1) for of in (error, theirs.square()))
    return total / whole.clamp_min(_TINY)
