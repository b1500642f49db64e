"""Rows without padding: the documents of a window one after the other, cut every so many units.

Everything follows from the seed, the number of the batch and the manifests; how many ranks share a batch changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zhuji.core.seed import stream
from zhuji.data.corpus.order import WINDOW_BYTES, Epochs, Kept, Order
from zhuji.data.corpus.rows import Row
from zhuji.data.corpus.shards import Array, Arrays, Corpus

MOVED = 1024
"""Documents of a window that are put in their place at a time: what that takes stays small beside the window."""


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The shuffled documents as one run of units: `ends (N,)` of each, `numbers (N,)`; `order`: which row comes when."""

    arrays: Arrays
    ends: Array
    numbers: Array
    order: Array

    def row(self, place: int, row_units: int) -> Row:
        start = int(self.order[place]) * row_units
        stop = min(start + row_units, int(self.ends[-1]))
        first, last = np.searchsorted(self.ends, [start, stop - 1], side="right").tolist()
        lengths = np.diff(np.minimum(self.ends[first : last + 1], stop), prepend=start)
        return Row({name: array[start:stop] for name, array in self.arrays.items()}, lengths, self.numbers[first : last + 1])


class Packed:
    """Batches of `batch_rows` rows (over all ranks) of `row_units` units; the last row of a window and the last batch of an epoch
    may be shorter. An epoch is every document once, or as often as its source's weight says."""

    def __init__(
        self,
        corpora: Sequence[Corpus],
        row_units: int,
        batch_rows: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        assert 0 <= rank < world
        self.row_units, self.batch_rows, self.seed, self.rank, self.world = row_units, batch_rows, seed, rank, world
        self._order = Order(corpora, seed, window_bytes)
        self._epochs = Epochs(lambda epoch: -(-int(self._plan(epoch)[1][-1]) // batch_rows))
        self._planned: tuple[int, tuple[list[Array], Array]] | None = None
        self._kept = Kept[_Window]()

    def batches_in_epoch(self, epoch: int) -> int:
        """Batches of an epoch, from the manifests alone; epochs may differ by a few."""
        return self._epochs.count(epoch)

    def locate(self, number: int) -> tuple[int, int]:
        """Epoch of a batch, counted from 0 over all epochs, and its place in the epoch."""
        return self._epochs.locate(number)

    def length(self, number: int) -> int:
        """Units to which the rows of a batch are padded."""
        return self.row_units

    def rows(self, number: int) -> list[Row]:
        """This rank's rows of a batch; none where the batch has fewer rows than there are ranks."""
        epoch, index = self.locate(number)
        windows, ends = self._plan(epoch)
        batch = np.arange(index * self.batch_rows, min((index + 1) * self.batch_rows, int(ends[-1])))
        own = np.array_split(batch, self.world)[self.rank]
        found: list[Row] = []
        places: list[int] = np.searchsorted(ends, own, side="right").tolist()
        for row, w in zip(own.tolist(), places, strict=True):
            window = self._window(epoch, w, windows[w])
            found.append(window.row(row - (int(ends[w - 1]) if w else 0), self.row_units))
        return found

    def documents(self, number: int) -> Array:
        """The numbers of the documents of which this rank's part of a batch holds pieces, (P,) int64."""
        return np.concatenate([row.documents for row in self.rows(number)] or [np.empty(0, np.int64)])

    def _plan(self, epoch: int) -> tuple[list[Array], Array]:
        """The blocks of each window of an epoch, and the number of rows up to the end of each, with at least one entry."""
        if self._planned is None or self._planned[0] != epoch:
            windows = self._order.windows(epoch)
            rows = [-(-int(self._order.units[blocks].sum()) // self.row_units) for blocks in windows]
            self._planned = epoch, (windows, np.cumsum(rows or [0]))
        return self._planned[1]

    def _window(self, epoch: int, window: int, blocks: Array) -> _Window:
        return self._kept.made((epoch, window), lambda: self._laid_out(epoch, window, blocks))

    def _laid_out(self, epoch: int, window: int, blocks: Array) -> _Window:
        held, numbers = self._order.read(blocks)
        rng = stream(self.seed, "window", epoch, window)
        order = rng.permutation(len(held))
        lengths = held.lengths[order]
        ends = np.cumsum(lengths)
        moved = (np.cumsum(held.lengths) - held.lengths)[order] - (ends - lengths)
        arrays = {name: np.empty_like(array) for name, array in held.arrays.items()}
        for first in range(0, len(order), MOVED):
            own = slice(first, first + MOVED)
            begin, end = int(ends[first] - lengths[first]), int(ends[own][-1])
            units = np.repeat(moved[own], lengths[own]) + np.arange(begin, end)
            for name, array in arrays.items():
                array[begin:end] = held.arrays[name][units]
        rows = rng.permutation(-(-int(ends[-1]) // self.row_units))
        return _Window(arrays, ends, numbers[order], rows)
