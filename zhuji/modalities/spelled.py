"""Words as they are written: each is known by itself, by its shape, how it begins and ends, and by the pairs that it forms with its
neighbours. All of it is hashed into one table, so that nothing need be learned beforehand and no word is unknown.

Sources: Ratinov & Roth 2009, section 3 (what helps to find names); Weinberger et al. 2009 (hashing); Bojanowski et al. 2017 (a word's vector as
the sum of what it is made of).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field
from torch import nn

from zhuji.core.contracts import Encoded, Modality, Shown
from zhuji.core.units import Units, UnitSpec
from zhuji.modalities import _words
from zhuji.nn.stems import PartsStem

_WORD = re.compile(r"\w+|[^\w\s]")
_SHAPED = 40
"""Characters of a word that its shape is made of."""
PARTS = 7
"""Shape, first one and three characters, last two and three, pairs with the word before and after."""


class Spelled(Modality):
    """`ids (T,)`: a bucket for each word, upper case or lower; `parts (T, 7)`: buckets for how it is written. An input is a tuple of words,
    or a str, which is cut into words and single signs."""

    buckets: int = Field(default=1 << 16, gt=1, le=1 << 24)
    """Rows of the table; words and parts share them by their hash."""
    max_units: int = Field(default=512, gt=0)
    """Words kept of a row, from its start."""
    leave_out: float = Field(default=0.2, ge=0, lt=1)
    """Share of a word's ids and parts that is left out while learning."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Of the numbers of a word's vector."""

    @property
    def spec(self) -> UnitSpec:
        return UnitSpec(grid_ndim=1, num_ids=self.buckets, reserved=(0,))

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        return self

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """T >= 1: a row without any word is one empty one."""
        return [self._encoded(_WORD.findall(raw) if isinstance(raw, str) else raw) for raw in inputs]

    def shown(self, raw: Any) -> Shown:
        """Each unit is a word."""
        parts = [match.span() for match in _WORD.finditer(raw)] if isinstance(raw, str) else _words.placed(raw)
        kept = max(min(len(parts), self.max_units), 1)
        first = np.arange(kept)
        units = np.stack([first, np.minimum(first + 1, len(parts))], 1)
        return Shown(raw if isinstance(raw, str) else "".join(_words.spaced(raw)), parts, units)

    def _encoded(self, words: Sequence[str]) -> Encoded:
        kept = list(words[: self.max_units]) or [""]
        buckets = np.array([[self._bucket(part) for part in parts] for parts in _written(kept)], np.int32)
        return Encoded(ids=buckets[:, 0], parts=buckets[:, 1:], cut=max(len(words) - len(kept), 0))

    def _bucket(self, part: str) -> int:
        """1 to `buckets` - 1: 0 is padding."""
        return zlib.crc32(part.encode("utf-8", "replace")) % (self.buckets - 1) + 1

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        mask = np.arange(grid[0]) < np.array([row.length for row in rows])[:, None]
        ids, parts = np.zeros(mask.shape, np.int64), np.zeros((*mask.shape, PARTS), np.int64)
        for place, row in enumerate(rows):
            assert row.ids is not None and row.parts is not None
            ids[place, : row.length], parts[place, : row.length] = row.ids, row.parts
        return Units(mask=torch.from_numpy(mask), ids=torch.from_numpy(ids), parts=torch.from_numpy(parts))

    def stem(self, dim: int) -> nn.Module:
        return PartsStem(self.buckets, dim, PARTS, leave_out=self.leave_out, dropout=self.dropout)

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        inputs = [("The", "cat", "sat"), "筑基 from scratch!", ("McDonald-7",), "", ("a", "b", "", "d", "e")]
        return cls(buckets=64, leave_out=0.0, dropout=0.0), inputs


def _written(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Of each word: itself, then its parts, each behind a name of its own."""
    lower = [word.lower() for word in words]
    around = ["", *lower, ""]
    for word, low, before, after in zip(words, lower, around, around[2:], strict=False):
        yield (
            f"w={low}", f"s={shape(word)}", f"1={low[:1]}", f"3={low[:3]}", f"-2={low[-2:]}", f"-3={low[-3:]}",
            f"<={before} {low}", f">={low} {after}",
        )  # fmt: skip


def shape(word: str) -> str:
    """`"McDonald-7"` -> `XxXx-0`: runs of a kind of character as one."""
    kinds = ("0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word[:_SHAPED])
    return re.sub(r"(.)\1+", r"\1", "".join(kinds))
