"""Copies among a stream of texts, exact and near, with memory bounded by the text.

Exact copies are found by a set of 128-bit hashes. Near copies are found by MinHash with banded locality-sensitive hashing, as in
`zhuji.data.duplicates`; but earlier texts are gone, so what the bands propose is checked by the signatures, of which one byte a
value is kept (b-bit minwise hashing, Li and König 2010): an estimate of the Jaccard similarity with a standard error of about 0.04.
"""

from __future__ import annotations

import numpy as np

from zhuji.data.duplicates import NEIGHBOURS, band_hashes, banding, mixed, normalised, raw_bytes, signatures

SLACK = 0.03
"""By how much an estimate may fall short of the threshold."""

Array = np.ndarray


class NearIndex:
    """Remembers texts by bands (12 bytes each, some 20 a text) and signatures (a byte a value, some 128)."""

    def __init__(self, threshold: float, seed: int) -> None:
        self.threshold, self.seed = threshold, seed
        self._bands, self._rows = banding(threshold)
        self._signatures = np.empty((0, self._bands * self._rows), np.uint8)
        self._runs: list[tuple[Array, Array]] = []
        self._size = 0

    def __len__(self) -> int:
        """Texts remembered."""
        return self._size

    def add(self, texts: list[str]) -> Array:
        """For each text, in order, the number of an earlier one that it is nearly equal to, or -1; (N,) int64. Only those with -1 are
        remembered and get a number."""
        keys, small = self._hashed(texts)
        new, old = self._proposed(keys)
        alike = self._estimate(small[new], self._signatures[old]) >= self.threshold - SLACK
        found = np.full(len(texts), -1)
        found[new[alike]] = old[alike]
        numbers = self._among(keys, small, found)
        kept = np.flatnonzero(found < 0)
        self._remember(keys[kept], small[kept], numbers[kept])
        return found

    def _hashed(self, texts: list[str]) -> tuple[Array, Array]:
        """Keys (N, bands) uint64, one a band and text, and signatures (N, values) uint8."""
        raw = [raw_bytes(normalised(text)) for text in texts]
        keys, small = [np.empty((0, self._bands), np.uint64)], [np.empty((0, self._signatures.shape[1]), np.uint8)]
        for signature, _ in signatures(raw, self._bands * self._rows, self.seed):
            band = band_hashes(signature, self._rows, self.seed)
            keys.append(mixed(band + np.arange(1, self._bands + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)))
            small.append(signature.astype(np.uint8))
        return np.concatenate(keys), np.concatenate(small)

    def _proposed(self, keys: Array) -> tuple[Array, Array]:
        """Pairs (text, number of a remembered one) that share a band, each once."""
        flat = keys.ravel()
        order = np.argsort(flat)
        asked, owner = flat[order], order // self._bands
        pairs = [np.empty(0, np.int64)]
        for held, numbers in self._runs:
            low = np.searchsorted(held, asked, side="left")
            count = np.minimum(np.searchsorted(held, asked, side="right") - low, NEIGHBOURS)
            steps = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
            pairs.append(np.repeat(owner, count) << 32 | numbers[np.repeat(low, count) + steps].astype(np.int64))
        both = np.unique(np.concatenate(pairs))
        return both >> 32, both & 0xFFFFFFFF

    def _among(self, keys: Array, small: Array, found: Array) -> Array:
        """Marks in `found` what repeats an earlier text of the same call; the numbers that those to be kept will have."""
        partners: dict[int, list[int]] = {}
        pairs = [np.empty(0, np.int64)]
        for band in keys.T:
            order = np.argsort(band, kind="stable")
            for step in range(1, min(NEIGHBOURS, len(band) - 1) + 1):
                same = np.flatnonzero(band[order][step:] == band[order][:-step])
                if not len(same):
                    break
                pairs.append(order[same + step] << 32 | order[same])
        both = np.unique(np.concatenate(pairs))
        later, earlier = both >> 32, both & 0xFFFFFFFF
        alike = self._estimate(small[later], small[earlier]) >= self.threshold - SLACK
        for a, b in zip(later[alike].tolist(), earlier[alike].tolist(), strict=True):
            partners.setdefault(a, []).append(b)
        numbers = np.full(len(found), -1)
        free = self._size
        for i in range(len(found)):
            if found[i] < 0:
                kept = next((j for j in partners.get(i, ()) if numbers[j] >= 0), None)
                if kept is None:
                    numbers[i], free = free, free + 1
                else:
                    found[i] = numbers[kept]
        return numbers

    @staticmethod
    def _estimate(left: Array, right: Array) -> Array:
        """Jaccard similarity of each pair of rows, (P,) float64: values of one byte agree by chance once in 256."""
        same = (left == right).mean(1) if len(left) else np.empty(0)
        return (same - 1 / 256) / (1 - 1 / 256)

    def _remember(self, keys: Array, small: Array, numbers: Array) -> None:
        if not len(keys):
            return
        stop = self._size + len(keys)
        if stop > len(self._signatures):
            room = np.empty((max(stop, 3 * len(self._signatures) // 2), self._signatures.shape[1]), np.uint8)
            room[: self._size] = self._signatures[: self._size]
            self._signatures = room
        self._signatures[self._size : stop] = small
        self._size = stop
        flat = keys.ravel()
        order = np.argsort(flat)
        self._runs.append((flat[order], np.repeat(numbers, self._bands).astype(np.uint32)[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._runs.append(_merged(self._runs.pop(), self._runs.pop()))


def _merged(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Two sorted runs as one."""
    keys = np.concatenate([first[0], second[0]])
    order = np.argsort(keys, kind="stable")
    return keys[order], np.concatenate([first[1], second[1]])[order]
