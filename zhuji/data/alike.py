"""Inputs that stand in the data more than once, of whichever kind they are: pictures by their marks, all else as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from zhuji.core.records import Picture
from zhuji.data import duplicates, marks
from zhuji.data.cells import joined


def cluster_of(inputs: Sequence[Any], threshold: float, seed: int) -> np.ndarray:
    """The number of each input's cluster, (N,) int64; see `duplicates.cluster_of` and `marks.cluster_of`."""
    if _pictures(inputs):
        return marks.cluster_of(cast(Sequence[Picture], inputs), threshold, seed)
    return duplicates.cluster_of([joined(one) for one in inputs], threshold, seed)


def exact_key(one: Any) -> bytes:
    """Equal for exact copies."""
    return marks.exact_key(one) if isinstance(one, Picture) else duplicates.exact_key(joined(one))


def similarity(inputs: Sequence[Any], left: Sequence[int], right: Sequence[int]) -> np.ndarray:
    """Similarity of each pair (left[i], right[i]), (P,) float64."""
    if _pictures(inputs):
        return marks.similarity(cast(Sequence[Picture], inputs), left, right)
    return duplicates.similarity([joined(one) for one in inputs], left, right)


def _pictures(inputs: Sequence[Any]) -> bool:
    return bool(len(inputs)) and isinstance(inputs[0], Picture)
