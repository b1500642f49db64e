"""Rows without their padding, for processors: what treats each unit by itself (products, norms, activations) computes the real units alone,
one behind the other; only attention sees rows.

A batch of short rows is up to half padding, and products are most of what a network costs where nothing is learned. Accelerators have
kernels that need no rows at all (`zhuji.nn.spans`).

Shapes: B rows, T units of a row, P units that are kept, H heads, G key heads, E width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PAYS = 0.9
"""The largest part of a batch that may be real units; above, moving them costs what it saves."""
STEP, COARSE_STEP = 8, 32
"""Kept units come in multiples of this, the last few being copies of a unit: products like even numbers, and in coarser numbers libraries prepare a kernel for
each shape, so there may be few."""


@dataclass(frozen=True)
class Unpadded:
    """Which units of a batch are kept, and how attention finds its rows again. `kept (P,)` int64: where in the flattened batch each unit
    comes from; `back (B, T)` int64: which of the kept a place of a row is, any where it is padding; `bias`: what attention adds to the scores of
    whole rows, `(B, 1, 1 or T, T)`."""

    kept: Tensor
    back: Tensor
    bias: Tensor

    def take(self, states: Tensor) -> Tensor:
        """`(B, T)` or `(B, T, D)` -> `(1, P)` or `(1, P, D)`."""
        return states.flatten(0, 1).index_select(0, self.kept)[None]

    def put(self, states: Tensor) -> Tensor:
        """`(1, P, D)` -> `(B, T, D)`; padding holds the state of any unit."""
        return states[0].index_select(0, self.back.flatten()).unflatten(0, self.back.shape)

    def rows(self, heads: Tensor) -> Tensor:
        """`(1, H, P, E)` -> `(B, H, T, E)`."""
        return self.put(heads.transpose(1, 2).flatten(2)).unflatten(-1, (heads.shape[1], heads.shape[3])).transpose(1, 2)

    def units(self, heads: Tensor) -> Tensor:
        """`(B, H, T, E)` -> `(1, H, P, E)`."""
        return self.take(heads.transpose(1, 2).flatten(2)).unflatten(-1, (heads.shape[1], heads.shape[3])).transpose(1, 2)


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
    back = (mask.flatten().cumsum(0) - 1).clamp_min(0).view(mask.shape)
    return Unpadded(F.pad(kept, (0, size - len(kept)), value=int(kept[0])), back, bias)
