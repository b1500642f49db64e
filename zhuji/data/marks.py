# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""Pictures that stand in the data more than once: byte for byte, or so that a person would not see the difference.

A picture's mark is a hash of its bytes, a difference hash of 64 bits (Krawetz 2013, "Kind of like that": whether each of 8 × 8 fields of the
grey picture is brighter than its neighbour) and a thumbnail of 8 × 8 colours. Pictures whose difference hashes are apart by at most DISTANCE
bits are compared by thumbnail: their similarity is 1 - 2 d, d being the mean absolute difference of the thumbnails, each around its mean,
over the larger of their deviations. A pair at 0.8 or above is hardly told apart by eye. Where a hash has CROWD others near it, it says little
(hand-written ones look alike), and twice the likeness is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from zhuji.core.records import Picture
from zhuji.data.duplicates import join
from zhuji.data.pictures import opened, read_bytes

DISTANCE = 6
"""Bits by which the hashes of near duplicates may differ."""
CROWD = 32
DARKER = 25.0
"""Levels, of 255, by which the mean colours of near duplicates may differ."""
_FIELD, _THUMB = 8, 8
_BANDS = 7
"""Two hashes that differ in at most DISTANCE bits agree in one of DISTANCE + 1 bands."""
_AT_ONCE = 1 << 20
"""Pairs compared at a time: bounds memory."""
_EXACT, _HASH = 16, 8

Array = np.ndarray


def marked(picture: Picture) -> tuple[Picture, tuple[str, ...]]:
    """The picture with its mark, and what was done to it; so it is known that it can be decoded whole. Raises what `opened` raises."""
    from PIL.Image import Resampling

    data = read_bytes(picture)
    found = opened(Picture(picture.path, data), (4 * _THUMB, 4 * _THUMB))
    exact = hashlib.blake2b(data, digest_size=_EXACT).digest()
    small = found.image.resize((36, 32), Resampling.BOX) if min(found.image.size) > 64 else found.image
    grey = np.asarray(small.convert("L").resize((_FIELD + 1, _FIELD), Resampling.BOX), np.int16)
    thumb = np.asarray(small.convert("RGB").resize((_THUMB, _THUMB), Resampling.BOX))
    return replace(picture, mark=exact + np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes() + thumb.tobytes()), found.changes


def exact_key(picture: Picture) -> bytes:
    """Equal for files of equal bytes."""
    return _mark(picture)[:_EXACT]


def cluster_of(pictures: Sequence[Picture], threshold: float, seed: int = 0) -> Array:
    """The number of each picture's cluster, (N,) int64: what chains of pairs join. A threshold of 0 finds exact copies only; nothing is left to
    chance, so `seed` changes nothing."""
    first: dict[bytes, int] = {}
    unique = np.fromiter((first.setdefault(exact_key(p), len(first)) for p in pictures), np.int64, len(pictures))
    if not 0 < threshold < 1 or len(first) < 2:
        return unique
    shown = np.unique(unique, return_index=True)[1]
    hashes, thumbs = _parts([pictures[int(i)] for i in shown])
    pairs = list(_candidates(hashes))
    left, right = (np.concatenate([pair[side] for pair in pairs]) if pairs else np.empty(0, np.int64) for side in (0, 1))
    crowded = np.bincount(np.concatenate((left, right)), minlength=len(hashes)) >= CROWD
    asked = np.where(crowded[left] | crowded[right], (1 + threshold) / 2, threshold)
    alike = _similar(thumbs, left, right) >= asked
    return join(np.arange(len(hashes)), left[alike], right[alike])[unique]


def similarity(pictures: Sequence[Picture], left: Sequence[int], right: Sequence[int]) -> Array:
    """Similarity of each pair (left[i], right[i]) by thumbnail, (P,) float64 in [0, 1]."""
    used = sorted({*left, *right})
    place = {i: n for n, i in enumerate(used)}
    thumbs = _parts([pictures[i] for i in used])[1]
    return _similar(thumbs, np.array([place[i] for i in left], np.int64), np.array([place[i] for i in right], np.int64))


def thumbnails(pictures: Sequence[Picture]) -> Array:
    """(N, 192) uint8: 8 × 8 colours of each."""
    return _parts(pictures)[1]


def _mark(picture: Picture) -> bytes:
    assert picture.mark is not None, "a picture must have been looked at"
    return picture.mark


def _parts(pictures: Sequence[Picture]) -> tuple[Array, Array]:
    """Hashes (N,) uint64 and thumbnails (N, 192) uint8."""
    marks = np.frombuffer(b"".join(map(_mark, pictures)), np.uint8).reshape(-1, _EXACT + _HASH + 3 * _THUMB**2)
    hashes: Array = np.ascontiguousarray(marks[:, _EXACT : _EXACT + _HASH]).view(">u8")[:, 0].astype(np.uint64)
    return hashes, marks[:, _EXACT + _HASH :]


def _candidates(hashes: Array) -> Iterator[tuple[Array, Array]]:
    """Pairs of rows whose hashes differ in at most DISTANCE bits, each once, `left` < `right`."""
    edges = np.linspace(0, 64, _BANDS + 1).astype(np.uint64)
    bands = [(hashes >> low) & np.uint64((1 << int(high - low)) - 1) for low, high in pairwise(edges)]
    for number, band in enumerate(bands):
        for left, right in _equal_pairs(band):
            near = _bits(hashes[left] ^ hashes[right]) <= DISTANCE
            left, right = left[near], right[near]
            # A pair that an earlier band has found is not told again.
            new = np.ones(len(left), bool)
            for earlier in bands[:number]:
                new &= earlier[left] != earlier[right]
            yield np.minimum(left[new], right[new]), np.maximum(left[new], right[new])


def _equal_pairs(band: Array) -> Iterator[tuple[Array, Array]]:
    """All pairs of rows with equal values, some at a time."""
    order = np.argsort(band, kind="stable")
    ends = np.searchsorted(band[order], band[order], side="right")
    partners = ends - np.arange(len(band)) - 1
    start = 0
    while start < len(band):
        stop = max(start + 1, int(np.searchsorted(np.cumsum(partners[start:]), _AT_ONCE)) + start)
        counts = partners[start:stop]
        rows = np.repeat(np.arange(start, stop), counts)
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        yield order[rows], order[rows + steps]
        start = stop


def _bits(values: Array) -> Array:
    """Ones in each of (P,) uint64."""
    return np.unpackbits(values.view(np.uint8).reshape(len(values), 8), axis=1).sum(1)


def _similar(thumbs: Array, left: Array, right: Array) -> Array:
    found = [np.empty(0)]
    for start in range(0, len(left), _AT_ONCE >> 4):
        one, other = (thumbs[side[start : start + (_AT_ONCE >> 4)]].astype(np.float32) for side in (left, right))
        mean = [side.reshape(len(side), -1, 3).mean(1) for side in (one, other)]
        levels: Any = [side.mean(1, keepdims=True) for side in (one, other)]
        apart = np.abs((one - levels[0]) - (other - levels[1])).mean(1)
        alike = 1 - 2 * apart / np.maximum(np.maximum(one.std(1), other.std(1)), 1.0)
        alike[np.abs(mean[0] - mean[1]).max(1) > DARKER] = 0.0
        found.append(alike.clip(0, 1).astype(np.float64))
    return np.concatenate(found)
