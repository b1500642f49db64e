"""Recordings that stand in the data more than once: sample for sample, or louder, cut or coded otherwise so that one hears the same.

A sound's mark is a hash of its samples and a fingerprint of its first minute (Haitsma and Kalker 2002, A Highly Robust Audio Fingerprinting
System, section 4.2): 16 bits a frame, each telling whether the energy of one of 17 bands between 300 and 2,000 Hz, less that of the next
higher one, grows from the frame before. Windows are shorter than the paper's, as a word is shorter than a song. Two sounds that share the bits of
two frames are laid over each other there; their similarity is 1 - 2 e times the share of the longer one that lies over the other, e being the
share of bits that differ: 0 for what has nothing in common.
Shapes: N frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zhuji.core.records import Sound
from zhuji.data.duplicates import join

RATE = 8_000
SECONDS = 60
"""Of a longer sound only the beginning is compared."""
FEWEST = 8
"""Frames below which a fingerprint says too little."""
DIGEST = 16
_WINDOW, _HOP, _BANDS, _LOW, _HIGH = 1024, 128, 17, 300.0, 2_000.0
_AT_ONCE = 256
"""Frames that are transformed at a time: bounds memory."""
_APART = 4
"""Frames between the two whose bits must agree: neighbours share most of their samples."""
_MOST = 64
"""Frames of one key up to which each is laid over each other one. Of more, such as those of silence, only over the next one: copies are joined by chains."""

Array = np.ndarray


def fingerprint(samples: Array) -> bytes:
    """Of samples `(S,)` at RATE: `(N,)` uint16, as bytes; nothing for what is too short."""
    padded = np.pad(samples[: SECONDS * RATE], _WINDOW // 2)
    count = 1 + (len(padded) - _WINDOW) // _HOP
    if count < FEWEST + 1:
        return b""
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    edges = np.geomspace(_LOW, _HIGH, _BANDS + 1) * _WINDOW / RATE
    hann = np.hanning(_WINDOW).astype(np.float32)
    parts: list[Array] = []
    for start in range(0, count, _AT_ONCE):
        power = np.abs(np.fft.rfft(frames[start : start + _AT_ONCE] * hann)[:, : int(edges[-1])]) ** 2
        parts.append(np.add.reduceat(power, edges[:-1].astype(int), axis=1))
    energy = np.concatenate(parts)
    slope = energy[:, :-1] - energy[:, 1:]
    bits = slope[1:] > slope[:-1]
    return np.packbits(bits, axis=1).tobytes()


def exact_key(sound: Sound) -> bytes:
    """Equal for sounds of equal samples."""
    assert sound.mark is not None, "a sound must have been listened to"
    return sound.mark[:DIGEST]


def cluster_of(sounds: Sequence[Sound], threshold: float) -> Array:
    """The number of each sound's cluster, (N,) int64: what chains of pairs join. A threshold of 0 finds exact copies only."""
    first: dict[bytes, int] = {}
    unique = np.fromiter((first.setdefault(exact_key(sound), len(first)) for sound in sounds), np.int64, len(sounds))
    if not 0 < threshold < 1 or len(first) < 2:
        return unique
    shown = [_bits(sounds[int(i)]) for i in np.unique(unique, return_index=True)[1]]
    left, right, shift = _candidates(shown)
    places: list[tuple[int, int, int]] = list(zip(left.tolist(), right.tolist(), shift.tolist(), strict=True))
    alike = np.array([_similar(shown[a], shown[b], moved) >= threshold for a, b, moved in places], bool)
    return join(np.arange(len(shown)), left[alike], right[alike])[unique]


def similarity(sounds: Sequence[Sound], left: Sequence[int], right: Sequence[int]) -> Array:
    """Similarity of each pair (left[i], right[i]), (P,) float64 in [0, 1], at the place where they lie best."""
    found = [_best(_bits(sounds[a]), _bits(sounds[b])) for a, b in zip(left, right, strict=True)]
    return np.array(found, np.float64)


def _bits(sound: Sound) -> Array:
    """(N,) uint16."""
    assert sound.mark is not None, "a sound must have been listened to"
    return np.frombuffer(sound.mark[DIGEST:], ">u2").astype(np.uint16)


def _keys(bits: Array) -> Array:
    return bits[:-_APART].astype(np.uint32) << np.uint32(16) | bits[_APART:]


def _candidates(shown: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Rows `left < right` and by how many frames `right` lies later, each once."""
    keys = [_keys(bits) if len(bits) > _APART else np.empty(0, np.uint32) for bits in shown]
    row = np.repeat(np.arange(len(keys)), [len(some) for some in keys])
    place = np.concatenate([np.arange(len(some)) for some in keys])
    key = np.concatenate(keys)
    order = np.lexsort((row, key))
    row, place, key = row[order], place[order], key[order]
    ends = np.searchsorted(key, key, side="right")
    crowd = ends - np.searchsorted(key, key, side="left") > _MOST
    found = [np.empty((0, 3), np.int64)]
    for step in range(1, min(_MOST, len(key))):
        near = ~crowd[:-step] if step > 1 else True
        at = np.flatnonzero(near & (key[:-step] == key[step:]) & (row[:-step] != row[step:]))
        if not len(at):
            break
        # At most of the places two copies agree: told once, they need no memory.
        found.append(np.unique(np.stack((row[at], row[at + step], place[at] - place[at + step]), 1), axis=0))
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1], pairs[:, 2]


def _similar(one: Array, other: Array, shift: int) -> float:
    """With `other` moved `shift` frames to the right."""
    start, stop = max(0, shift), min(len(one), len(other) + shift)
    over = stop - start
    if over < FEWEST:
        return 0.0
    differ = np.unpackbits((one[start:stop] ^ other[start - shift : stop - shift]).view(np.uint8)).sum() / (16 * over)
    return float(max(0.0, 1 - 2 * differ) * over / max(len(one), len(other)))


def _best(one: Array, other: Array) -> float:
    shifts = {int(s) for s in _candidates([one, other])[2]}
    return max((_similar(one, other, shift) for shift in shifts), default=0.0)
