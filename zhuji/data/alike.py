"""Inputs that stand in the data more than once, of whichever kind they are: pictures and sounds by their marks, all else as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from zhuji.core.records import Picture, Sound
from zhuji.data import duplicates, fingerprints, marks
from zhuji.data.cells import joined


def cluster_of(inputs: Sequence[Any], threshold: float, seed: int) -> np.ndarray:
    """The number of each input's cluster, (N,) int64; see `duplicates`, `marks` and `fingerprints`."""
    if _are(Picture, inputs):
        return marks.cluster_of(cast(Sequence[Picture], inputs), threshold, seed)
    if _are(Sound, inputs):
        return fingerprints.cluster_of(cast(Sequence[Sound], inputs), threshold)
    return duplicates.cluster_of([joined(one) for one in inputs], threshold, seed)


def exact_key(one: Any) -> bytes:
    """Equal for exact copies."""
    if isinstance(one, Sound):
        return fingerprints.exact_key(one)
    return marks.exact_key(one) if isinstance(one, Picture) else duplicates.exact_key(joined(one))


def similarity(inputs: Sequence[Any], left: Sequence[int], right: Sequence[int]) -> np.ndarray:
    """Similarity of each pair (left[i], right[i]), (P,) float64."""
    if _are(Picture, inputs):
        return marks.similarity(cast(Sequence[Picture], inputs), left, right)
    if _are(Sound, inputs):
        return fingerprints.similarity(cast(Sequence[Sound], inputs), left, right)
    return duplicates.similarity([joined(one) for one in inputs], left, right)


def _are(kind: type, inputs: Sequence[Any]) -> bool:
    return bool(len(inputs)) and isinstance(inputs[0], kind)
