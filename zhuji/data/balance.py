"""Rare classes in the training rows: more copies of them, or fewer rows of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from zhuji.core.records import Label, Record
from zhuji.core.seed import stream
from zhuji.data.augment import vary
from zhuji.data.split import strata

MOST_COPIES = 10
"""A class grows to at most this many times its rows: beyond it a model only learns single rows by heart."""


def oversampled(records: Sequence[Record], seed: int, *, words: bool = False) -> list[Record]:
    """New rows that bring each class up to the largest, at most to MOST_COPIES times its size.

    The rows of a class are copied in turn, in random order; copy n of row `id` is `id+n`. With `words`, the words of each copy
    are varied (`zhuji.data.augment`).
    """
    kind = strata([r.label for r in records])
    counts = np.bincount(kind)
    copies: Counter[str] = Counter()
    made: list[Record] = []
    for k in np.flatnonzero(counts):
        rng = stream(seed, "oversample", int(k))
        rows = rng.permutation(np.flatnonzero(kind == k))
        wanted: list[int] = np.resize(rows, min(counts.max(), MOST_COPIES * counts[k]) - counts[k]).tolist()
        for record in (records[i] for i in wanted):
            copies[record.id] += 1
            text = vary(record.input, rng) if words and isinstance(record.input, str) else record.input
            made.append(replace(record, id=f"{record.id}+{copies[record.id]}", input=text))
    return made


def undersampled(labels: Sequence[Label], seed: int) -> Callable[[int], np.ndarray]:
    """A function from the epoch to the indexes of its rows: every class as often as the smallest, drawn anew each epoch, so that
    over the epochs no row is lost. Fits `Loader(indexes=…)`."""
    kind = strata(labels)
    classes = [np.flatnonzero(kind == k) for k in np.unique(kind)]
    smallest = min(map(len, classes))

    def of(epoch: int) -> np.ndarray:
        rng = stream(seed, "undersample", epoch)
        return np.sort(np.concatenate([rng.choice(rows, smallest, replace=False) for rows in classes]))

    return of
