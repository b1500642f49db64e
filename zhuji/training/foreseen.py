"""What counting foresees of the next unit: how often each id comes, and how often it comes after another. Shapes: V ids, n units of a row."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns, Encoded, Task
from zhuji.training.baselines import Baseline
from zhuji.training.evaluation import score_columns

MOST_IDS = 4_096
"""Ids of which pairs are counted."""

Floats = NDArray[np.float64]


def counted(
    task: Task,
    train: Sequence[Encoded],
    test: Sequence[Encoded],
    ids: tuple[str, ...],
    size: int,
    *,
    resamples: int = 0,
    seed: int = 0,
) -> Mapping[str, Baseline]:
    """`unigram` and `previous_unit` (of at most MOST_IDS ids `size`), scored by the task's own metrics on the same units of the same test rows: all but each
    row's first. `ids`: of the test rows."""
    if not train or not test or not 0 < size <= MOST_IDS:
        return {}
    found = dict[str, Baseline]()
    for name, learn in {"unigram": _unigram, "previous_unit": _previous}.items():
        start = time.perf_counter()
        log_p = np.log(learn([_ids(row) for row in train], size))
        columns = _evidence(log_p, [_ids(row) for row in test])
        seconds = time.perf_counter() - start
        found[name] = Baseline(score_columns(task.metrics(), columns, ids, resamples=resamples, seed=seed), seconds)
    return found


def _ids(row: Encoded) -> NDArray[np.int32]:
    assert row.ids is not None
    return row.ids.ravel()


def _single(rows: Sequence[NDArray[np.int32]], size: int) -> Floats:
    """Of every unit but each row's first; each id as if it had come once more."""
    counts = sum((np.bincount(row[1:], minlength=size) for row in rows), np.ones(size))
    return counts / counts.sum()


def _unigram(rows: Sequence[NDArray[np.int32]], size: int) -> Floats:
    return np.broadcast_to(_single(rows, size), (size, size))


def _previous(rows: Sequence[NDArray[np.int32]], size: int) -> Floats:
    """`(V, V)`: what follows each id. What never followed it has as much of the probability as there are ids that did, shared by how often each comes (Witten
    and Bell 1991, method C, interpolated)."""
    pairs = np.concatenate([row[:-1].astype(np.int64) * size + row[1:] for row in rows])
    counts = np.bincount(pairs, minlength=size * size).reshape(size, size)
    kinds = np.count_nonzero(counts, axis=1)[:, None].clip(1)
    return (counts + kinds * _single(rows, size)) / (counts.sum(1, keepdims=True) + kinds)


def _evidence(log_p: Floats, rows: Sequence[NDArray[np.int32]]) -> Columns:
    best = log_p.argmax(1)
    loss = np.array([-log_p[row[:-1], row[1:]].sum() for row in rows])
    right = np.array([(best[row[:-1]] == row[1:]).sum() for row in rows], np.float64)
    named = np.array([max(0, len(row) - 1) for row in rows], np.float64)
    return {"loss": loss, "terms": named, "id_loss": loss, "named": named, "right": right}
