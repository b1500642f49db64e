"""Against the same runs as arrays in memory."""

from contextlib import closing

import numpy as np
import pytest

from zhuji.core.errors import ScratchFull
from zhuji.core.seed import stream
from zhuji.data.corpus import runs as module
from zhuji.data.corpus import scratch
from zhuji.data.corpus.runs import Run, Runs, merged


class InMemory:
    """The reference: runs as whole arrays, merged by a stable sort, the newer first, and looked up by bisection."""

    def __init__(self, most):
        self.most, self.runs = most, []

    def add(self, keys, numbers):
        if len(keys):
            order = np.argsort(keys)
            self.runs.append((keys[order], numbers[order]))
        while len(self.runs) > 1 and len(self.runs[-2][0]) < 2 * len(self.runs[-1][0]):
            newer, older = self.runs.pop(), self.runs.pop()
            keys = np.concatenate([newer[0], older[0]])
            order = np.argsort(keys, kind="stable")
            self.runs.append((keys[order], np.concatenate([newer[1], older[1]])[order]))

    def find(self, asked):
        pairs = []
        for keys, numbers in self.runs:
            for place, key in enumerate(asked):
                low, high = np.searchsorted(keys, key), np.searchsorted(keys, key, side="right")
                pairs += [(place, number) for number in numbers[low : min(high, low + self.most)].tolist()]
        return sorted(pairs)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pieces and blocks of a few keys, so that equal keys straddle all of them."""
    monkeypatch.setattr(module, "PIECE", 8)
    monkeypatch.setattr(module, "ASKED", 16)
    monkeypatch.setattr(module, "MERGED", 32)


@pytest.mark.parametrize("kinds", [3, 40, 1000, 2**63])
def test_what_is_found_is_what_is_found_in_memory(kinds):
    rng = stream(kinds, "runs")
    expected, free = InMemory(5), 0
    with closing(Runs(5)) as runs:
        assert [part.tolist() for part in runs.find(np.array([3], np.uint64))] == [[], []]
        for size in [0, 1, 1, 200, 8, 0, *rng.integers(0, 60, 40).tolist(), 300, 1]:
            keys = rng.integers(0, kinds, size, dtype=np.uint64) * np.uint64(2)
            keys[: size // 10] = [np.uint64(2**64 - 1), np.uint64(0)][size % 2]
            numbers = np.arange(free, free + size, dtype=np.uint32)
            free += size
            for filing in (runs, expected):
                filing.add(keys, numbers)
            known = np.concatenate([held for held, _ in expected.runs] or [keys])
            asked = np.sort(np.concatenate([known[::7], known[:20] + np.uint64(1), keys[:3], keys[:3]]))
            places, found = runs.find(asked)
            assert sorted(zip(places.tolist(), found.tolist(), strict=True)) == expected.find(asked)
        assert len(runs) == len(expected.runs) < 9
        for run, (keys, numbers) in zip(runs._runs, expected.runs, strict=True):
            assert [part.tolist() for part in run.read(0, len(run))] == [keys.tolist(), numbers.tolist()]
        assert [part.tolist() for part in runs.find(np.empty(0, np.uint64))] == [[], []]


@pytest.mark.parametrize(("first", "second"), [(1, 1), (32, 32), (31, 97), (200, 5), (5, 200), (64, 64)])
@pytest.mark.parametrize("kinds", [1, 2, 9, 10_000])
def test_of_equal_keys_those_of_the_first_run_come_first(first, second, kinds):
    rng = stream(first * second * kinds, "merge")
    pair = []
    for size, start in ((first, 0), (second, 1000)):
        run = Run(size)
        run.append((np.sort(rng.integers(0, kinds, size, dtype=np.uint64)), np.arange(start, start + size, dtype=np.uint32)))
        pair.append(run)
    both = merged(*pair)
    keys, numbers = both.read(0, len(both))
    held = [run.read(0, len(run)) for run in pair]
    order = np.argsort(np.concatenate([held[0][0], held[1][0]]), kind="stable")
    assert keys.tolist() == np.concatenate([held[0][0], held[1][0]])[order].tolist()
    assert numbers.tolist() == np.concatenate([held[0][1], held[1][1]])[order].tolist()
    for run in (*pair, both):
        run.close()


def test_only_the_pieces_that_may_hold_a_key_are_read(monkeypatch):
    read = []
    pieces = scratch.Scratch.pieces
    monkeypatch.setattr(scratch.Scratch, "pieces", lambda self, n, length=1: read.extend(n.tolist()) or pieces(self, n, length))
    run = Run(80)
    run.append((np.arange(0, 160, 2, dtype=np.uint64), np.arange(80, dtype=np.uint32)))
    with closing(run):
        assert [part.tolist() for part in run.find(np.array([1, 33, 157, 999], np.uint64), 5)] == [[], []]
        assert read == [0, 2, 9]
        # a key that begins a piece may stand at the end of the one before as well
        assert [part.tolist() for part in run.find(np.array([32], np.uint64), 5)] == [[0], [16]]


def test_a_disk_that_fills_up_while_runs_are_merged_leaves_nothing_open(monkeypatch):
    runs = Runs(5)
    runs.add(np.arange(100, dtype=np.uint64), np.arange(100, dtype=np.uint32))
    append, left = scratch.Scratch.append, [3]

    def full(self, rows):
        if not left[0]:
            raise ScratchFull(why="No space left on device")
        left[0] -= 1
        append(self, rows)

    made = []
    start = scratch.Scratch.__init__
    monkeypatch.setattr(scratch.Scratch, "__init__", lambda self, *a: made.append(self) or start(self, *a))
    monkeypatch.setattr(scratch.Scratch, "append", full)
    with pytest.raises(ScratchFull):
        runs.add(np.arange(100, dtype=np.uint64), np.arange(100, dtype=np.uint32))
    assert len(made) == 4
    runs.close()
    assert all(one._file.closed for one in made)
