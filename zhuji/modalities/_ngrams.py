"""Runs of tokens with ids of their own: which of them training met often enough, and where they stand in a row.

A run is known by a 64-bit hash of its ids: a polynomial modulo 2^64, mixed by SplitMix64's finaliser (Steele et al. 2014), the same
on every machine and in every process. Among ten million runs two share a hash with a chance of 3 in a million.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

Rows = Sequence[np.ndarray]


def learn(batches: Iterable[Rows], longest: int, least: int, most: int) -> np.ndarray:
    """The sorted hashes (N,) uint64 of the runs of 2 to `longest` ids that stand in at least `least` rows; of more than `most` those
    that stand in the most rows. Memory grows with the number of different runs."""
    known, count = np.empty(0, np.uint64), np.empty(0, np.int64)
    waiting: list[np.ndarray] = []
    for rows in batches:
        owner, hashed = runs(rows, longest)
        waiting.append(_once_a_row(owner, hashed))
        if sum(map(len, waiting)) > max(1 << 20, len(known)):
            known, count = _added(known, count, waiting)
            waiting = []
    known, count = _added(known, count, waiting)
    often = np.flatnonzero(count >= least)
    if len(often) > most:
        often = np.sort(often[np.argsort(-count[often], kind="stable")[:most]])
    return known[often]


def runs(rows: Rows, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of the row and the hash of every run of 2 to `longest` ids; rows in order, shorter runs first."""
    lengths = np.array([row.size for row in rows], dtype=np.int64)
    flat = np.concatenate(rows).astype(np.uint64) + np.uint64(1)
    row_of = np.repeat(np.arange(len(rows)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(flat.size)
    hashed, pieces, owners = flat, [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for size in range(2, longest + 1):
        following = flat[size - 1 :]
        hashed = hashed[: following.size] * np.uint64(0x9E3779B97F4A7C15) + following
        inside = left[: following.size] >= size
        pieces.append(_mixed(hashed[inside]))
        owners.append(row_of[: following.size][inside])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return owner[order], np.concatenate(pieces)[order]


def places(hashed: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Index of each hash in the sorted `known`, -1 where it is not there."""
    if not len(known):
        return np.full(len(hashed), -1)
    at = np.searchsorted(known, hashed).clip(max=len(known) - 1)
    return np.where(known[at] == hashed, at, -1)


def _once_a_row(owner: np.ndarray, hashed: np.ndarray) -> np.ndarray:
    order = np.lexsort((hashed, owner))
    owner, hashed = owner[order], hashed[order]
    new = np.ones(len(hashed), bool)
    new[1:] = (hashed[1:] != hashed[:-1]) | (owner[1:] != owner[:-1])
    return hashed[new]


def _added(known: np.ndarray, count: np.ndarray, waiting: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    more = np.sort(np.concatenate([np.empty(0, np.uint64), *waiting]))
    starts = np.flatnonzero(np.concatenate([[True], more[1:] != more[:-1]])) if len(more) else np.empty(0, np.int64)
    times = np.diff(np.append(starts, len(more)))
    both = np.concatenate([known, more[starts]])
    found, inverse = np.unique(both, return_inverse=True)
    total = np.zeros(len(found), np.int64)
    np.add.at(total, inverse, np.concatenate([count, times]))
    return found, total


def _mixed(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
