"""In which order the blocks of corpora are read: from the seed and the epoch alone, so that any place can be found again.

Blocks are shuffled over all corpora; consecutive ones make windows of bounded size, in which documents are shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from zhuji.core.seed import stream
from zhuji.data.corpus.shards import Array, Corpus, Documents

WINDOW_BYTES = 8 << 20
"""Of the blocks whose documents are shuffled together: four million ids of two bytes."""
HELD = 2
"""Windows kept in memory: the one that is read and, where a batch goes over its end, the next."""

T = TypeVar("T")


class Order:
    """The blocks of these corpora, numbered through, epoch by epoch.

    A source of weight w gives each block floor(w(e + 1) + p) - floor(we + p) times in epoch e; the phases p of its blocks are
    spread evenly, so that every epoch holds about its share and after 1/w epochs every block was read once.
    """

    def __init__(self, corpora: Sequence[Corpus], seed: int, window_bytes: int = WINDOW_BYTES) -> None:
        assert any(len(corpus.blocks) for corpus in corpora), "a corpus without documents has no batches"
        self.corpora, self.seed, self.window_bytes = tuple(corpora), seed, window_bytes
        self.first = np.cumsum([0, *(len(corpus.blocks) for corpus in corpora)])
        """The number of each corpus's first block, and last of all how many blocks there are."""
        self.units: Array = np.concatenate([corpus.blocks["units"].astype(np.int64) for corpus in corpora])
        self._bytes: Array = np.concatenate([corpus.bytes for corpus in corpora])
        self._weight, self._phase = self._spread()

    def __len__(self) -> int:
        """Blocks of all corpora."""
        return int(self.first[-1])

    def _spread(self) -> tuple[Array, Array]:
        """Weight and phase of each block, (blocks,) float64."""
        weight, phase = np.ones(len(self)), np.zeros(len(self))
        for number, corpus in enumerate(self.corpora):
            for s, own in enumerate(corpus.weights):
                held = int(self.first[number]) + np.flatnonzero(corpus.blocks["source"] == s)
                weight[held] = own
                ranks = stream(self.seed, "phase", number, s).permutation(len(held))
                phase[held] = (ranks + 0.5) / max(len(held), 1)
        return weight, phase

    def windows(self, epoch: int) -> list[Array]:
        """The numbers of the blocks of each window of an epoch, in order."""
        before, after = (np.floor(self._weight * e + self._phase) for e in (epoch, epoch + 1))
        blocks = np.repeat(np.arange(len(self)), (after - before).astype(np.int64))
        blocks = stream(self.seed, "blocks", epoch).permutation(blocks)
        size = self._bytes[blocks]
        window = (np.cumsum(size) - size) // self.window_bytes
        return np.split(blocks, np.flatnonzero(np.diff(window)) + 1) if len(blocks) else []

    def place(self, block: int) -> tuple[Corpus, int]:
        """The corpus of a block, and its number in it."""
        number = int(np.searchsorted(self.first, block, side="right")) - 1
        return self.corpora[number], block - int(self.first[number])

    def sizes(self, blocks: Array) -> Iterator[tuple[Array, Array]]:
        """How many documents of each rounded length these blocks have, (N,) in rising order; some at a time: (the numbers of these
        blocks, (n, SIZES) uint32)."""
        for corpus, first, last in zip(self.corpora, self.first[:-1], self.first[1:], strict=True):
            own = blocks[np.searchsorted(blocks, first) : np.searchsorted(blocks, last)]
            for before, sizes in corpus.sizes(own - first):
                yield own[before : before + len(sizes)], sizes

    def read(self, blocks: Array) -> tuple[Documents, Array]:
        """The documents of these blocks and the number of each, (N,) int64, unique over all corpora."""
        places = [self.place(block) for block in blocks.tolist()]
        counts = [int(corpus.blocks["documents"][i]) for corpus, i in places]
        lengths, numbers = np.empty(sum(counts), np.int64), np.empty(sum(counts), np.int64)
        arrays = {name: self._room(name, int(self.units[blocks].sum())) for name in self.corpora[0].manifest.arrays}
        document = unit = 0
        # Each block is copied to its place as it is read: a window is never in memory twice.
        for block, count, (corpus, i) in zip(blocks.tolist(), counts, places, strict=True):
            part, units = corpus.read(i), int(self.units[block])
            lengths[document : document + count] = part.lengths
            numbers[document : document + count] = (block << 32) + np.arange(count)
            for name, array in arrays.items():
                array[unit : unit + units] = part.arrays[name]
            document, unit = document + count, unit + units
        return Documents(lengths, arrays), numbers

    def _room(self, name: str, units: int) -> Array:
        """Room for so many units of an array."""
        specs = [corpus.manifest.arrays[name] for corpus in self.corpora]
        shape = (units, specs[0].channels) if specs[0].channels else (units,)
        return np.empty(shape, np.result_type(*(np.dtype(spec.dtype) for spec in specs)))


class Kept(dict[tuple[int, int], T]):
    """The last few things that were made, by (epoch, window)."""

    def made(self, key: tuple[int, int], make: Callable[[], T]) -> T:
        """What stands under the key, else what `make` makes; the oldest goes when there are too many."""
        if key not in self:
            while len(self) >= HELD:
                del self[next(iter(self))]
            self[key] = make()
        return self[key]


class Epochs:
    """How many batches each epoch has, and which epoch a batch is in when they are counted through."""

    def __init__(self, batches: Callable[[int], int]) -> None:
        self._batches = batches
        self._ends: list[int] = []

    def count(self, epoch: int) -> int:
        """Batches of an epoch."""
        while len(self._ends) <= epoch:
            before = self._ends[-1] if self._ends else 0
            self._ends.append(before + self._batches(len(self._ends)))
        return self._ends[epoch] - (self._ends[epoch - 1] if epoch else 0)

    def locate(self, number: int) -> tuple[int, int]:
        """(epoch, place in it) of a batch, when the batches of all epochs are counted through."""
        epoch = int(np.searchsorted(np.array(self._ends), number, side="right"))
        while epoch >= len(self._ends) or self._ends[epoch] <= number:
            if epoch >= len(self._ends):
                self.count(epoch)
            else:
                epoch += 1
        return epoch, number - (self._ends[epoch - 1] if epoch else 0)
