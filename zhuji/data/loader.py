"""Which rows form which batch, in which order: from the seed, the epoch and the step alone, so that any step can be found again.

Batches hold rows of like length, padded to one of a few fixed bucket lengths (libraries cache by shape, so shapes must be few), and
as many rows as a budget of units allows. Rows that do not fill a batch of their bucket move up to the next longer one; so every
batch but an epoch's last is full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zhuji.core.seed import stream

BUCKETS = 12
"""Most bucket lengths; fewer are used where filling up so many would waste more than they save."""
CANDIDATES = 256
"""Lengths among which the bucket lengths are chosen."""

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class BatchPlan:
    """`rows` (B,) int64: indexes into the split; `length`: units that each is padded to. With several ranks, `rows` is this rank's
    part and may be empty when a batch has fewer rows than there are ranks."""

    rows: Array
    length: int


class Loader:
    """Batches for rows of these `lengths` (N,) in units.

    `batch_units`: budget of a batch over all ranks, padding included; a longer row is a batch of its own. `batch_rows`: at most so
    many rows in a batch. `shuffle=False` gives every row once in a fixed order. `indexes(epoch)`: the rows of that epoch where an
    epoch is a sample. Each batch is cut among the `world` ranks, so that training does not depend on how many there are.
    """

    def __init__(
        self,
        lengths: Array,
        *,
        batch_units: int,
        batch_rows: int | None = None,
        seed: int,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        indexes: Callable[[int], Array] | None = None,
    ) -> None:
        assert 0 <= rank < world
        self.lengths = np.maximum(np.asarray(lengths, np.int64), 1)
        self.seed, self.shuffle, self.rank, self.world = seed, shuffle, rank, world
        self._indexes = indexes
        self._units, self._rows = batch_units, batch_rows
        self.lengths_used: tuple[int, ...] = self._choose_buckets()
        self._bucket = np.searchsorted(self.lengths_used, self.lengths)
        self._steps: list[int] = []
        self._plans: tuple[int, list[BatchPlan]] | None = None

    def rows_in(self, length: int) -> int:
        """Rows of a full batch of this bucket length."""
        return max(1, min(self._units // length, self._rows or self._units))

    def epoch(self, epoch: int) -> list[BatchPlan]:
        """This rank's batches of an epoch, in order; every rank has equally many."""
        return [self._part(plan) for plan in self._whole(epoch)]

    def steps_in_epoch(self, epoch: int) -> int:
        """Batches in an epoch; the same in all of them unless `indexes` samples."""
        if self._indexes is None:
            epoch = 0
        while len(self._steps) <= epoch:
            counts = np.bincount(self._bucket[self._held(len(self._steps))], minlength=len(self.lengths_used))
            self._steps.append(self._simulated(self.lengths_used, counts)[0])
        return self._steps[epoch]

    def locate(self, step: int) -> tuple[int, int]:
        """Epoch of a step, counted from 0 over all epochs, and its place in the epoch."""
        assert self.steps_in_epoch(0), "a loader without rows has no steps"
        if self._indexes is None:
            return divmod(step, self.steps_in_epoch(0))
        epoch = 0
        while step >= self.steps_in_epoch(epoch):
            step -= self.steps_in_epoch(epoch)
            epoch += 1
        return epoch, step

    def plan(self, step: int) -> BatchPlan:
        """This rank's batch at a step."""
        epoch, index = self.locate(step)
        return self._part(self._whole(epoch)[index])

    def waste(self, epoch: int) -> float:
        """Share of an epoch's units that are padding, over all ranks."""
        plans = self._whole(epoch)
        padded = sum(len(plan.rows) * plan.length for plan in plans)
        return 1 - sum(int(self.lengths[plan.rows].sum()) for plan in plans) / padded if padded else 0.0

    def _held(self, epoch: int) -> Array:
        return np.arange(len(self.lengths)) if self._indexes is None else np.asarray(self._indexes(epoch), np.int64)

    def _part(self, plan: BatchPlan) -> BatchPlan:
        return BatchPlan(np.array_split(plan.rows, self.world)[self.rank], plan.length)

    def _whole(self, epoch: int) -> list[BatchPlan]:
        if self._plans is None or self._plans[0] != epoch:
            self._plans = epoch, self._laid_out(epoch)
        return self._plans[1]

    def _laid_out(self, epoch: int) -> list[BatchPlan]:
        """The batches of an epoch over all ranks; the one that is not full, if any, comes last."""
        held = self._held(epoch)
        rng = stream(self.seed, "loader", epoch) if self.shuffle else None
        return laid_out(held, self._bucket[held], self.lengths_used, self.rows_in, rng)

    def _simulated(self, buckets: tuple[int, ...], counts: Array) -> tuple[int, int]:
        return simulated(buckets, counts, self.rows_in)

    def _choose_buckets(self) -> tuple[int, ...]:
        """Of the best choices of 1, 2, … lengths, the one that in the end pads least."""
        if not len(self.lengths):
            return ()

        def padded(buckets: tuple[int, ...]) -> int:
            return self._simulated(buckets, np.bincount(np.searchsorted(buckets, self.lengths), minlength=len(buckets)))[1]

        return min(best_lengths(self.lengths, BUCKETS), key=padded)


def laid_out(
    held: Array, bucket: Array, buckets: Sequence[int], rows_in: Callable[[int], int], rng: np.random.Generator | None
) -> list[BatchPlan]:
    """Batches of the rows `held` (N,), each of which is in `bucket` (N,) of `buckets`, shuffled if there is an `rng`; the one that
    is not full, if any, comes last. `rows_in(length)`: rows of a full batch."""
    if rng is not None:
        shuffled = rng.permutation(len(held))
        held, bucket = held[shuffled], bucket[shuffled]
    order = np.argsort(bucket, kind="stable")
    held, bucket = held[order], bucket[order]
    ends = np.searchsorted(bucket, np.arange(len(buckets)), side="right")
    plans: list[BatchPlan] = []
    begin = 0
    for length, end in zip(buckets, ends.tolist(), strict=True):
        full = (end - begin) // rows_in(length)
        stop = begin + full * rows_in(length)
        plans += [BatchPlan(rows, length) for rows in held[begin:stop].reshape(full, rows_in(length))]
        begin = stop
    if rng is not None:
        plans = [plans[i] for i in rng.permutation(len(plans))]
    if begin < len(held):
        plans.append(BatchPlan(held[begin:], buckets[int(bucket[begin:].max())]))
    return plans


def simulated(buckets: Sequence[int], counts: Array, rows_in: Callable[[int], int]) -> tuple[int, int]:
    """Number of batches that `laid_out` makes, and units they hold with padding, when so many rows fall into each bucket."""
    batches = padded = left = 0
    for length, count in zip(buckets, counts.tolist(), strict=True):
        full, left = divmod(left + count, rows_in(length))
        batches += full
        padded += full * rows_in(length) * length
    return batches + (left > 0), padded + left * (buckets[-1] if buckets else 0)


def best_lengths(lengths: Array, most: int) -> list[tuple[int, ...]]:
    """For 1, 2, … `most` buckets, the bucket lengths that leave the least padding, by dynamic programming over at most CANDIDATES
    lengths."""
    ordered = np.sort(lengths)
    places = np.linspace(0, len(ordered) - 1, CANDIDATES).astype(int)
    distinct = np.unique(ordered)
    length = distinct if len(distinct) <= CANDIDATES else np.unique(ordered[places])
    below = np.concatenate([[0], np.searchsorted(ordered, length, side="right")])
    # cost[j, i]: units of a bucket of length[i] that holds what is longer than length[j - 1]
    cost = np.where(
        np.arange(len(length) + 1)[:, None] <= np.arange(len(length)), (below[1:] - below[:, None]) * length, np.inf
    )
    best = cost[0]
    cuts: list[Array] = []
    found: list[tuple[int, ...]] = [(int(length[-1]),)]
    for _ in range(1, min(most, len(length))):
        total = np.concatenate([[np.inf], best])[:, None] + cost
        cuts.append(total.argmin(0))
        best = total.min(0)
        chosen, end = [int(length[-1])], len(length) - 1
        for cut in reversed(cuts):
            end = int(cut[end]) - 1
            chosen.append(int(length[end]))
        found.append(tuple(reversed(chosen)))
    return found
