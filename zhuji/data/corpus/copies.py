"""Near copies among a stream of texts, in memory that does not grow.

They are found by MinHash with banded locality-sensitive hashing, as in `zhuji.data.duplicates`; but earlier texts are gone, so what
the bands propose is checked by the signatures, of which one byte a value is kept (b-bit minwise hashing, Li and König 2010): an
estimate of the Jaccard similarity with a standard error of about 0.04. Both are remembered in temporary files.
"""

from __future__ import annotations

import numpy as np

from zhuji.data.corpus.runs import Runs
from zhuji.data.corpus.scratch import Scratch
from zhuji.data.duplicates import NEIGHBOURS, band_hashes, banding, mixed, normalised, raw_bytes, signatures

SLACK = 0.03
"""By how much an estimate may fall short of the threshold."""
PAIRS = 1 << 14
"""Pairs whose signatures are compared together: bounds memory where thousands of texts share a template."""

Array = np.ndarray


class NearIndex:
    """Remembers texts by bands (12 bytes each, some 20 a text) and signatures (a byte a value, some 128), on disk. To be closed.

    Raises ScratchFull where the temporary files have no room."""

    def __init__(self, threshold: float, seed: int) -> None:
        self.threshold, self.seed = threshold, seed
        self._bands, self._rows = banding(threshold)
        self._runs = Runs(NEIGHBOURS)
        self._signatures = Scratch(np.uint8, self._bands * self._rows)

    def __len__(self) -> int:
        """Texts remembered."""
        return len(self._signatures)

    def add(self, texts: list[str]) -> Array:
        """For each text, in order, the number of an earlier one that it is nearly equal to, or -1; (N,) int64. Only those with -1 are
        remembered and get a number."""
        keys, small = self._hashed(texts)
        new, old = self._proposed(keys)
        alike = self._alike(small, new, old)
        found = np.full(len(texts), -1)
        found[new[alike]] = old[alike]
        numbers = self._among(keys, small, found)
        kept = np.flatnonzero(found < 0)
        self._runs.add(keys[kept].ravel(), np.repeat(numbers[kept], self._bands).astype(np.uint32))
        self._signatures.append(small[kept])
        return found

    def close(self) -> None:
        """Forgets everything."""
        self._runs.close()
        self._signatures.close()

    def _hashed(self, texts: list[str]) -> tuple[Array, Array]:
        """Keys (N, bands) uint64, one a band and text, and signatures (N, values) uint8."""
        raw = [raw_bytes(normalised(text)) for text in texts]
        keys, small = [np.empty((0, self._bands), np.uint64)], [np.empty((0, self._bands * self._rows), np.uint8)]
        for signature, _ in signatures(raw, self._bands * self._rows, self.seed):
            band = band_hashes(signature, self._rows, self.seed)
            keys.append(mixed(band + np.arange(1, self._bands + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)))
            small.append(signature.astype(np.uint8))
        return np.concatenate(keys), np.concatenate(small)

    def _proposed(self, keys: Array) -> tuple[Array, Array]:
        """Pairs (text, number of a remembered one) that share a band, each once."""
        flat = keys.ravel()
        order = np.argsort(flat)
        places, numbers = self._runs.find(flat[order])
        owner = order[places] // self._bands
        both = np.unique(owner << 32 | numbers.astype(np.int64))
        return both >> 32, both & 0xFFFFFFFF

    def _alike(self, small: Array, new: Array, old: Array) -> Array:
        """Which pairs (row of `small`, number of a remembered text) are near copies, (P,) bool."""
        parts = [np.empty(0, bool)]
        for start in range(0, len(new), PAIRS):
            part = slice(start, start + PAIRS)
            parts.append(self._estimate(small[new[part]], self._signatures.take(old[part])) >= self.threshold - SLACK)
        return np.concatenate(parts)

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
        free = len(self)
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
