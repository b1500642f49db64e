"""Runs of tokens against a dictionary of tuples."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zhuji.modalities import _ngrams

ROWS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=8)


def hashed_by_hand(run: list[int]) -> int:
    """The hash in Python's own whole numbers."""
    modulus = 2**64
    value = run[0] + 1
    for unit in run[1:]:
        value = (value * 0x9E3779B97F4A7C15 + unit + 1) % modulus
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = (value ^ (value >> shift)) * factor % modulus
    return value ^ (value >> 31)


def by_hand(row: list[int], longest: int) -> list[int]:
    return [hashed_by_hand(row[at : at + size]) for size in range(2, longest + 1) for at in range(len(row) - size + 1)]


def arrays(rows: list[list[int]]) -> list[np.ndarray]:
    return [np.array(row, dtype=np.int32) for row in rows]


@given(rows=ROWS, longest=st.integers(2, 4))
def test_every_run_of_a_row_is_found_and_none_crosses_rows(rows, longest):
    owner, hashed = _ngrams.runs(arrays(rows), longest)
    for number, row in enumerate(rows):
        assert hashed[owner == number].tolist() == by_hand(row, longest)


@given(rows=ROWS, longest=st.integers(2, 3), least=st.integers(1, 3), cut=st.integers(1, 8))
def test_learns_the_runs_that_stand_in_enough_rows_however_the_rows_arrive(rows, longest, least, cut):
    parts = [arrays(rows[:cut]), arrays(rows[cut:])] if rows[cut:] else [arrays(rows)]
    count = Counter(run for row in rows for run in set(by_hand(row, longest)))
    expected = sorted(run for run, times in count.items() if times >= least)
    assert _ngrams.learn(parts, longest, least, 10**6).tolist() == expected


def test_of_too_many_the_most_frequent_are_kept():
    rows = arrays([[1, 2], [1, 2], [3, 4], [3, 4], [3, 4], [5, 6]])
    assert _ngrams.learn([rows], 2, 1, 2).tolist() == sorted(map(hashed_by_hand, ([1, 2], [3, 4])))


@given(known=st.sets(st.integers(0, 2**64 - 1)), asked=st.lists(st.integers(0, 2**64 - 1)))
def test_places(known, asked):
    ordered = sorted(known)
    expected = [ordered.index(value) if value in known else -1 for value in [*asked, *ordered]]
    found = _ngrams.places(np.array([*asked, *ordered], dtype=np.uint64), np.array(ordered, dtype=np.uint64))
    assert found.tolist() == expected
