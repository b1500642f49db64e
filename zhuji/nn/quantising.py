"""Values as codes that nobody learned: a random projection, and the nearest of random vectors (Chiu et al. 2022, Self-supervised Learning with
Random-projection Quantizer for Speech Recognition, section 3.1).

Shapes: B rows, T units, C channels of a value, S units of a stack, N vectors, D width of the projection, V codes.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.seed import stream
from zhuji.core.units import Units
from zhuji.nn.layers import zeroed


def stacked(units: Units, size: int) -> Units:
    """Of every `size` units one that holds the values of all: `values (B, T, C)` -> `(B, ceil(T / size), size * C)`. It is real where the first of
    them is; padding, also that behind a row's end in its last stack, counts as zeros."""
    assert units.values is not None
    rows, length, _ = units.values.shape
    values = F.pad(zeroed(units.values, units.mask), (0, 0, 0, -length % size))
    return Units(units.mask[:, ::size], values=values.reshape(rows, -1, size * values.shape[-1]))


class RandomQuantiser(nn.Module):
    """`values (N, C)` -> `(N,)` int64: which of `codes` random vectors on the unit sphere is nearest to the value's random projection onto it. Both
    are drawn by `seed` from streams of their own, travel with the weights, and never learn.

    Values shall have a mean of 0 and a deviation of 1 in each channel; otherwise few codes are used.
    """

    projection: Tensor
    codebook: Tensor

    def __init__(self, channels: int, codes: int, width: int, seed: int) -> None:
        super().__init__()
        limit = (6 / (channels + width)) ** 0.5  # Glorot & Bengio 2010, equation 16
        projection = stream(seed, "quantiser", "projection").uniform(-limit, limit, (channels, width))
        codebook = stream(seed, "quantiser", "codebook").standard_normal((codes, width))
        codebook /= np.linalg.norm(codebook, axis=1, keepdims=True)
        for name, drawn in (("projection", projection), ("codebook", codebook)):
            self.register_buffer(name, torch.from_numpy(drawn.astype(np.float32)))

    @torch.no_grad()
    def forward(self, values: Tensor) -> Tensor:
        # All codes have the length 1, so the nearest has the largest product, and the length of what is projected changes no order. In double
        # precision, for a batch of another shape adds up in another order, and a code must not hang on that.
        projected = values.double() @ self.projection.double()
        return (projected @ self.codebook.double().T).argmax(-1)
