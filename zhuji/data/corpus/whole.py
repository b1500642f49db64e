"""Whole documents: batches of documents of like length, padded to one of a few lengths.

Everything follows from the seed, the number of the batch and the manifests; how many ranks share a batch changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zhuji.core.seed import stream
from zhuji.data.corpus.blocks import SIZES, length_of
from zhuji.data.corpus.order import WINDOW_BYTES, Epochs, Kept, Order
from zhuji.data.corpus.rows import Row
from zhuji.data.corpus.shards import Array, Corpus, Documents
from zhuji.data.loader import BUCKETS, BatchPlan, best_lengths, laid_out, simulated

SAMPLE = 20_000
"""Documents whose lengths stand for those of all when the lengths of batches are chosen."""
WINDOWS = 64
"""Windows that stand for an epoch then."""


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    held: Documents
    starts: Array
    numbers: Array
    plans: list[BatchPlan]

    def row(self, document: int, max_units: int) -> Row:
        start = int(self.starts[document])
        length = min(int(self.held.lengths[document]), max_units)
        arrays = {name: array[start : start + length] for name, array in self.held.arrays.items()}
        return Row(arrays, np.array([length]), self.numbers[document : document + 1])


class Whole:
    """Batches (over all ranks) of documents, each cut to `max_units`: as many as `batch_units` hold, padding included, and at most
    `batch_rows`; at least one of the two is given. The last batch of a window may hold fewer. An epoch is every document once, or
    as often as its source's weight says."""

    def __init__(
        self,
        corpora: Sequence[Corpus],
        max_units: int,
        seed: int,
        *,
        batch_units: int | None = None,
        batch_rows: int | None = None,
        rank: int = 0,
        world: int = 1,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        assert 0 <= rank < world
        assert batch_units or batch_rows
        self.max_units, self.seed, self.rank, self.world = max_units, seed, rank, world
        self._units, self._rows = batch_units, batch_rows
        self._order = Order(corpora, seed, window_bytes)
        self.lengths_used, self._counts = self._choose_buckets()
        self._epochs = Epochs(lambda epoch: int(self._plan(epoch)[1][-1]))
        self._planned: tuple[int, tuple[list[Array], Array]] | None = None
        self._kept = Kept[_Window]()

    def rows_in(self, length: int) -> int:
        """Rows of a full batch of documents of up to this length."""
        fit = self._units // length if self._units else self._rows or 1
        return max(1, min(fit, self._rows or fit))

    def batches_in_epoch(self, epoch: int) -> int:
        """Batches of an epoch, from the manifests alone; epochs may differ by a few."""
        return self._epochs.count(epoch)

    def locate(self, number: int) -> tuple[int, int]:
        """Epoch of a batch, counted from 0 over all epochs, and its place in the epoch."""
        return self._epochs.locate(number)

    def length(self, number: int) -> int:
        """Units to which the rows of a batch are padded; the same on all ranks."""
        return self._batch(number)[1].length

    def rows(self, number: int) -> list[Row]:
        """This rank's rows of a batch, a document each; none where the batch has fewer rows than there are ranks."""
        window, plan = self._batch(number)
        own = np.array_split(plan.rows, self.world)[self.rank]
        return [window.row(document, self.max_units) for document in own.tolist()]

    def documents(self, number: int) -> Array:
        """The numbers of the documents in this rank's part of a batch, (P,) int64."""
        return np.concatenate([row.documents for row in self.rows(number)] or [np.empty(0, np.int64)])

    def _batch(self, number: int) -> tuple[_Window, BatchPlan]:
        epoch, index = self.locate(number)
        windows, ends = self._plan(epoch)
        w = int(np.searchsorted(ends, index, side="right"))
        window = self._kept.made((epoch, w), lambda: self._laid_out(epoch, w, windows[w]))
        return window, window.plans[index - (int(ends[w - 1]) if w else 0)]

    def _plan(self, epoch: int) -> tuple[list[Array], Array]:
        """The blocks of each window of an epoch, and the number of batches up to the end of each, with at least one entry."""
        if self._planned is None or self._planned[0] != epoch:
            windows = self._order.windows(epoch)
            batches = [simulated(self.lengths_used, self._counts[blocks].sum(0), self.rows_in)[0] for blocks in windows]
            self._planned = epoch, (windows, np.cumsum(batches or [0]))
        return self._planned[1]

    def _laid_out(self, epoch: int, window: int, blocks: Array) -> _Window:
        held, numbers = self._order.read(blocks)
        bucket = np.searchsorted(self.lengths_used, np.minimum(held.lengths, self.max_units))
        rng = stream(self.seed, "window", epoch, window)
        plans = laid_out(np.arange(len(held)), bucket, self.lengths_used, self.rows_in, rng)
        shuffled: list[BatchPlan] = [plans[i] for i in rng.permutation(len(plans)).tolist()]
        return _Window(held, np.cumsum(held.lengths) - held.lengths, numbers, shuffled)

    def _choose_buckets(self) -> tuple[tuple[int, ...], Array]:
        """The lengths of batches, and how many documents of each block fall to each, (blocks, lengths) uint32. Of the best choices of
        1, 2, … lengths for all documents, the one that pads least over some windows of the first epoch."""
        everywhere = np.zeros(SIZES, np.int64)
        for _, sizes in self._order.sizes(np.arange(len(self._order))):
            everywhere += sizes.sum(0, dtype=np.int64)
        longest = np.minimum(length_of(np.arange(SIZES)), self.max_units)
        sample = np.repeat(longest, -(-everywhere * SAMPLE // max(int(everywhere.sum()), SAMPLE)))
        choices = best_lengths(sample, BUCKETS)
        padded = np.zeros(len(choices), np.int64)
        for window in self._some_windows():
            held = np.sum([sizes.sum(0, dtype=np.int64) for _, sizes in self._order.sizes(np.sort(window))], axis=0)
            padded += [simulated(each, _fallen(held, longest, each), self.rows_in)[1] for each in choices]
        chosen = choices[int(padded.argmin())]
        counts = np.empty((len(self._order), len(chosen)), np.uint32)
        for blocks, sizes in self._order.sizes(np.arange(len(self._order))):
            counts[blocks] = _fallen(sizes, longest, chosen)
        return chosen, counts

    def _some_windows(self) -> list[Array]:
        """WINDOWS windows of the first epoch, evenly spread, or all if there are no more."""
        windows = self._order.windows(0)
        return [windows[i] for i in np.unique(np.linspace(0, len(windows) - 1, WINDOWS).astype(int)).tolist()]


def _fallen(sizes: Array, longest: Array, buckets: tuple[int, ...]) -> Array:
    """How many of documents counted by size (…, SIZES), the longest of which is so long, fall to each bucket, (…, buckets) int64."""
    ends = np.searchsorted(longest, buckets, side="right")
    return np.diff(np.cumsum(sizes, -1, dtype=np.int64)[..., ends - 1], axis=-1, prepend=0)
