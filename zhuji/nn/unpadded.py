"""Rows without their padding, for processors: what treats each unit by itself (products, norms, activations) computes the real units alone,
one behind the other; only attention sees rows.

A batch of short rows is up to half padding, and products are most of what a network costs where nothing is learned. Accelerators have
kernels that need no rows at all (`zhuji.nn.spans`).

Shapes: B rows, T units of a row, P units that are kept, H heads, G key heads, E width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PAYS = 0.9
"""The largest part of a batch that may be real units; above, moving them costs what it saves."""
STEP, COARSE_STEP = 8, 32
"""Kept units come in multiples of this, the last few being copies of a unit: products like even numbers, and in coarser numbers libraries prepare a kernel for
each shape, so there may be few."""
FEW = 4
"""Rows that are worth attention of their own because they are short."""


@dataclass(frozen=True)
class Part:
    """Rows of a batch that attention sees together. `back (R, S)` int64: which of the kept units a place of a row is, any where it is padding;
    `bias`: what is added to the scores, `(R, 1, 1 or S, S)`."""

    back: Tensor
    bias: Tensor

    def put(self, states: Tensor) -> Tensor:
        """`(1, P, D)` -> `(R, S, D)`; padding holds the state of any unit."""
        return states[0].index_select(0, self.back.flatten()).unflatten(0, self.back.shape)

    def rows(self, heads: Tensor) -> Tensor:
        """`(1, H, P, E)` -> `(R, H, S, E)`."""
        return self.put(heads.transpose(1, 2).flatten(2)).unflatten(-1, (heads.shape[1], heads.shape[3])).transpose(1, 2)


@dataclass(frozen=True)
class Unpadded:
    """Which units of a batch are kept, and how attention finds its rows again. `kept (P,)` int64: where in the flattened batch each unit comes from;
    `whole`: all rows, of T units; `parts`: the same rows, short ones apart from the long; `places (P,)` int64: where each kept unit stands in those, one row
    behind the other."""

    kept: Tensor
    whole: Part
    parts: tuple[Part, ...]
    places: Tensor

    def take(self, states: Tensor) -> Tensor:
        """`(B, T)` or `(B, T, D)` -> `(1, P)` or `(1, P, D)`."""
        return states.flatten(0, 1).index_select(0, self.kept)[None]

    def units(self, heads: Sequence[Tensor]) -> Tensor:
        """`(R, H, S, E)` of each part -> `(1, H, P, E)`."""
        _, count, _, width = heads[0].shape
        flat = [part.transpose(1, 2).flatten(0, 1).flatten(1) for part in heads]
        found = (flat[0] if len(flat) == 1 else torch.cat(flat)).index_select(0, self.places)
        return found[None].unflatten(-1, (count, width)).transpose(1, 2)


def unpadded(mask: Tensor, bias: Tensor) -> Unpadded | None:
    """How to leave out what `mask (B, T)` says is padding, where that pays; None while something is learned, on other devices, and while
    a graph is recorded, which must serve any batch."""
    if mask.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return None
    kept = mask.flatten().nonzero()[:, 0]
    step = COARSE_STEP if torch.is_autocast_enabled("cpu") else STEP
    size = -(-len(kept) // step) * step
    if len(kept) == 0 or size > PAYS * mask.numel():
        return None
    kept = F.pad(kept, (0, size - len(kept)), value=int(kept[0]))
    whole = Part((mask.flatten().cumsum(0) - 1).clamp_min(0).view(mask.shape), bias)
    parts, begins = _parted(mask, whole)
    return Unpadded(kept, whole, parts, begins[kept // mask.shape[1]] + kept % mask.shape[1])


def _parted(mask: Tensor, whole: Part) -> tuple[tuple[Part, ...], Tensor]:
    """Rows that have nothing in their second half, where they are some, apart from the others: their attention costs a quarter. `(B,)` int64: where each row
    begins among the places of all parts."""
    rows, units = mask.shape
    half = -(-units // 2)
    short = mask[:, half:].any(1).logical_not()
    groups = [(short.nonzero()[:, 0], half), (short.logical_not().nonzero()[:, 0], units)]
    if len(groups[0][0]) < FEW:
        return (whole,), torch.arange(rows) * units
    parts, begins, begin = list[Part](), torch.zeros(rows, dtype=torch.int64), 0
    for numbers, most in groups:
        if len(numbers):
            bias = whole.bias.index_select(0, numbers)[..., :most]
            parts.append(Part(whole.back.index_select(0, numbers)[:, :most], bias[:, :, :most]))
            begins[numbers] = begin + torch.arange(len(numbers)) * most
            begin += len(numbers) * most
    return tuple(parts), begins
