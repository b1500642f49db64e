"""A row of a batch, cut from a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zhuji.data.corpus.shards import Array

INSIDE, BEGINS, WORDLESS = 0, 1, 2
"""How the array `words` of a corpus tells words: a unit goes on with one, begins one, or belongs to none."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """T units of one or more documents. `arrays`: name -> (T, …), as the corpus holds them; `lengths (P,)` int64: units of each
    piece, in order; `documents (P,)` int64: the number of the document that each is a piece of."""

    arrays: Mapping[str, Array]
    lengths: Array
    documents: Array

    def __len__(self) -> int:
        return int(self.lengths.sum())

    @property
    def segments(self) -> Array:
        """(T,) int64: 0, 1, … by piece."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def words(self) -> Array | None:
        """(T,) int32: the number of the word that each unit is a piece of, -1 for none; None where the corpus does not know."""
        kind = self.arrays.get("words")
        if kind is None:
            return None
        begins = kind == BEGINS
        if len(kind) and kind[0] == INSIDE:  # the row begins inside a word
            begins[0] = True
        return np.where(kind == WORDLESS, -1, np.cumsum(begins) - 1).astype(np.int32)

    @property
    def pieces(self) -> list[dict[str, Array]]:
        """Each piece by itself."""
        cuts = np.cumsum(self.lengths)[:-1]
        parts = {name: np.split(array, cuts) for name, array in self.arrays.items()}
        return [{name: part[i] for name, part in parts.items()} for i in range(len(self.lengths))]


def kinds_of(words: Array) -> Array:
    """Numbers of words (T,), -1 for none, as the array `words` (T,) uint8 of a corpus."""
    begins = np.append(True, words[1:] != words[:-1]) if len(words) else np.empty(0, bool)
    return np.where(words < 0, WORDLESS, begins).astype(np.uint8)
