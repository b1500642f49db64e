"""How far two sounds of the same words are apart, whatever their pace: mel cepstral distortion along the cheapest way through both (Kubichek 1993).

Shapes: S and T frames of two sounds, K cepstral numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def warped(cost: np.ndarray) -> np.ndarray:
    """`cost (S, T)` of each pair of frames -> the cheapest way from the first pair to the last, `(N, 2)` int64, each step one frame on in one sound or in both
    (Sakoe and Chiba 1978). Of equally cheap steps the one in both."""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        one: Places = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1), dtype=np.int64)
        other: Places = diagonal - one
        before = np.minimum(np.minimum(total[one, other], total[one, other + 1]), total[one + 1, other])
        total[one + 1, other + 1] = cost[one, other] + before
    row, column, path = rows, columns, list[tuple[int, int]]()
    while row and column:
        path.append((row - 1, column - 1))
        ways = ((row - 1, column - 1), (row - 1, column), (row, column - 1))
        row, column = min(ways, key=lambda place: total[place])
    return np.array(path[::-1], np.int64).reshape(-1, 2)


def mel_cepstral(one: np.ndarray, other: np.ndarray, bands: int) -> float:
    """Decibels, the mean along the way: `one (S, K)` and `other (T, K)` are coefficients 1 to K of the orthonormal cosine transform of natural logarithms of the
    power in `bands` mel bands. The coefficient 0, which is loudness, counts not at all."""
    # Half a logarithm of power is one of amplitude; over the square root of 2 M a coefficient is one of a cosine series.
    scale = 10 / math.log(10) * math.sqrt(2) / (2 * math.sqrt(2 * bands))
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    cost = scale * np.sqrt(np.maximum(squares, 0.0))
    path = warped(cost)
    return float(cost[path[:, 0], path[:, 1]].mean())
