"""Numbers filed under 64-bit keys, on disk: sorted runs that are merged as they grow, so that all writing and nearly all reading is of
whole pages in order (a log-structured merge tree; O'Neil, Cheng, Gawlick, O'Neil 1996).
"""

from __future__ import annotations

import contextlib

import numpy as np

from zhuji.data.corpus.scratch import Scratch

PIECE = 512
"""Keys read together, a page of 4 KiB. The first of each is held in memory: 8 bytes for 6 KiB on disk."""
ASKED = 2_048
"""Keys looked up together: they touch 16 MiB at most."""
MERGED = 1 << 17
"""Keys of each of two runs that are in memory while they become one."""

Array = np.ndarray
Filed = tuple[Array, Array]
"""Keys (N,) uint64 and their numbers (N,) uint32."""


class Runs:
    """Numbers filed under keys. A lookup hands back at most `most` of a run's numbers of one key, the latest; `most` is at most PIECE.

    Raises ScratchFull where the temporary files have no room."""

    def __init__(self, most: int) -> None:
        assert most <= PIECE, "a key's numbers must lie in two pieces"
        self.most = most
        self._runs: list[Run] = []

    def __len__(self) -> int:
        """Runs there are: about the logarithm of what was filed."""
        return len(self._runs)

    def add(self, keys: Array, numbers: Array) -> None:
        """Files each number (N,) under its key (N,)."""
        if not len(keys):
            return
        order = np.argsort(keys)
        self._runs.append(Run(len(keys)))
        self._runs[-1].append((keys[order], numbers[order]))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            whole = merged(self._runs[-1], self._runs[-2])
            for _ in range(2):
                self._runs.pop().close()
            self._runs.append(whole)

    def find(self, asked: Array) -> Filed:
        """What is filed under the ascending keys `asked` (N,): for each number its place in `asked`, (P,) int64, and the number."""
        parts = [(np.empty(0, np.int64), np.empty(0, np.uint32))]
        for run in self._runs:
            for start in range(0, len(asked), ASKED):
                places, numbers = run.find(asked[start : start + ASKED], self.most)
                parts.append((places + start, numbers))
        return np.concatenate([places for places, _ in parts]), np.concatenate([numbers for _, numbers in parts])

    def close(self) -> None:
        """Forgets everything."""
        while self._runs:
            self._runs.pop().close()


class Run:
    """Keys in ascending order with their numbers, `size` of them when all are appended."""

    def __init__(self, size: int) -> None:
        self._firsts = np.empty(-(-size // PIECE), np.uint64)
        self._keys = Scratch(np.uint64)
        self._numbers = Scratch(np.uint32)

    def __len__(self) -> int:
        return len(self._keys)

    def append(self, filed: Filed) -> None:
        """What follows in order."""
        keys, numbers = filed
        begun = -(-len(self) // PIECE)
        firsts = keys[begun * PIECE - len(self) :: PIECE]
        self._firsts[begun : begun + len(firsts)] = firsts
        self._keys.append(keys)
        self._numbers.append(numbers)

    def read(self, start: int, stop: int) -> Filed:
        """Those from `start` to `stop`, or to the last."""
        return self._keys.read(start, stop), self._numbers.read(start, stop)

    def find(self, asked: Array, most: int) -> Filed:
        """See `Runs.find`; of each key the first `most`."""
        pieces = self._touched(asked)
        keys = self._keys.pieces(pieces, PIECE)
        low = np.searchsorted(keys, asked)
        hit = np.flatnonzero(keys[np.minimum(low, len(keys) - 1)] == asked)  # nearly none
        low = low[hit]
        count = np.minimum(np.searchsorted(keys, asked[hit], side="right") - low, most)
        steps = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        at = np.repeat(low, count) + steps
        return np.repeat(hit, count), self._numbers.take(pieces[at // PIECE] * PIECE + at % PIECE)

    def close(self) -> None:
        """Forgets everything."""
        self._keys.close()
        self._numbers.close()

    def _touched(self, asked: Array) -> Array:
        """Numbers of the pieces in which the first PIECE of each key would lie, ascending."""
        after = np.searchsorted(self._firsts, asked)  # the first piece that begins with this key or a greater one
        begins = self._firsts[np.minimum(after, len(self._firsts) - 1)] == asked
        return np.unique(np.concatenate([np.maximum(after - 1, 0), after[begins & (after < len(self._firsts))]]))


def merged(first: Run, second: Run) -> Run:
    """Both as one; of equal keys those of `first` come first."""
    whole = Run(len(first) + len(second))
    with contextlib.ExitStack() as undone:
        undone.callback(whole.close)
        heads = _Head(first), _Head(second)
        while True:
            (keys, _), (others, _) = heads[0].held(), heads[1].held()
            if not len(keys) + len(others):
                break
            # What may go: no key that is still on disk belongs before it.
            taken, taken_others = len(keys), len(others)
            if taken and taken_others:
                if keys[-1] <= others[-1]:
                    taken_others = int(np.count_nonzero(others < keys[-1]))
                else:
                    taken = int(np.count_nonzero(keys <= others[-1]))
            whole.append(_interleaved(heads[0].take(taken), heads[1].take(taken_others)))
        undone.pop_all()
    return whole


class _Head:
    """The next of a run's keys."""

    def __init__(self, run: Run) -> None:
        self._run, self._at = run, 0
        self._held: Filed = np.empty(0, np.uint64), np.empty(0, np.uint32)

    def held(self) -> Filed:
        if not len(self._held[0]) and self._at < len(self._run):
            self._held = self._run.read(self._at, self._at + MERGED)
            self._at += len(self._held[0])
        return self._held

    def take(self, count: int) -> Filed:
        keys, numbers = self._held
        self._held = keys[count:], numbers[count:]
        return keys[:count], numbers[:count]


def _interleaved(first: Filed, second: Filed) -> Filed:
    (keys, numbers), (others, other_numbers) = first, second
    places = np.searchsorted(keys, others, side="right") + np.arange(len(others))
    free = np.ones(len(keys) + len(others), bool)
    free[places] = False
    both = np.empty(len(free), np.uint64), np.empty(len(free), np.uint32)
    for whole, own, other in zip(both, (keys, numbers), (others, other_numbers), strict=True):
        whole[free], whole[places] = own, other
    return both
