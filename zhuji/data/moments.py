"""Mean and deviation of each channel of more data than memory holds, in one pass.

Shapes: N rows, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from zhuji.core.seed import stream

_DIGITS = 6
_T = TypeVar("_T")


class Moments:
    """Sums of what was added, float64."""

    def __init__(self, channels: int) -> None:
        self.total, self.squares, self.count = np.zeros(channels), np.zeros(channels), 0.0

    def add(self, rows: np.ndarray, weight: float = 1.0) -> None:
        """`rows (N, C)`, of which each counts `weight` times."""
        wide = rows.astype(np.float64)
        self.total += weight * wide.sum(0)
        self.squares += weight * (wide**2).sum(0)
        self.count += weight * len(rows)

    @property
    def mean(self) -> tuple[float, ...]:
        """To six decimals, so that the order of sums leaves no trace in a file; 0 of nothing."""
        return _rounded(self._mean)

    def deviation(self, least: float) -> tuple[float, ...]:
        """As `mean`; at least `least`, so that nothing is divided by zero where a channel never changes."""
        variance = np.maximum(self.squares / (self.count or 1) - self._mean**2, 0)
        return _rounded(np.sqrt(variance).clip(least))

    @property
    def _mean(self) -> np.ndarray:
        return self.total / (self.count or 1)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)


def drawn(items: Sequence[_T], most: int, seed: int) -> Sequence[_T]:
    """So many of them at most, by chance and in their order."""
    if len(items) <= most:
        return items
    numbers: list[int] = np.sort(stream(seed, "measured").choice(len(items), most, replace=False)).tolist()
    return [items[number] for number in numbers]
