"""What a causal body has seen already, so that each new unit costs one unit's work.

Shapes: B rows, T units seen, n new ones, G key heads, E width of a head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from zhuji.core.units import Features


class Seen(ABC):
    """What a body keeps of the units that it has seen: empty at first; the body fills it."""

    @abstractmethod
    def select(self, index: Tensor) -> Self:
        """`index (M,)` int64 -> what is kept of these rows, in this order; a row may come more than once. This one stays as it is."""


class LayerCache:
    """Keys and values of one layer, each `(B, G, T, E)`."""

    def __init__(self, key: Tensor | None = None, value: Tensor | None = None) -> None:
        self.key, self.value = key, value

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keeps what is new, `(B, G, n, E)`, and gives back all, `(B, G, T + n, E)`."""
        if self.key is not None and self.value is not None:
            key, value = torch.cat((self.key, key), 2), torch.cat((self.value, value), 2)
        self.key, self.value = key, value
        return key, value

    def select(self, index: Tensor) -> LayerCache:
        if self.key is None or self.value is None:
            return LayerCache()
        return LayerCache(self.key.index_select(0, index), self.value.index_select(0, index))


class Cache(Seen):
    """Keys and values of all layers of a body, and `mask (B, T)`, which of the units seen are real: rows may be of unequal length, and what comes later
    counts on from the last real unit."""

    def __init__(self, layers: int) -> None:
        self.layers = [LayerCache() for _ in range(layers)]
        self.mask: Tensor | None = None

    def __len__(self) -> int:
        """Units seen, padding included."""
        return 0 if self.mask is None else self.mask.shape[1]

    def extend(self, mask: Tensor) -> Tensor:
        """Keeps the mask of what is new, `(B, n)`, and gives back the mask of all, `(B, T + n)`."""
        self.mask = mask if self.mask is None else torch.cat((self.mask, mask), 1)
        return self.mask

    def select(self, index: Tensor) -> Self:
        chosen = type(self)(0)
        chosen.layers = [layer.select(index) for layer in self.layers]
        chosen.mask = None if self.mask is None else self.mask.index_select(0, index)
        return chosen


class CachedBody(nn.Module, ABC):
    """A causal body that can go on from what it has seen."""

    @abstractmethod
    def cache(self) -> Seen:
        """An empty one."""

    @abstractmethod
    def forward(self, features: Features, cache: Seen | None = None) -> Features:
        """With `cache`, `features` are the units that follow those seen; the states of these alone come back."""
