from __future__ import annotations

import numpy as np
import pytest

from zhuji.data.moments import Moments, drawn


def test_moments_are_those_of_the_whole() -> None:
    rows = 3 + np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    moments = Moments(4)
    for part in (rows[:1], rows[1:30], rows[30:]):
        moments.add(part)
    assert moments.mean == pytest.approx(rows.astype(np.float64).mean(0), abs=1e-6)
    assert moments.deviation(0.0) == pytest.approx(rows.astype(np.float64).std(0), abs=1e-6)


def test_weights_make_parts_of_unlike_size_count_alike() -> None:
    few, many = np.full((1, 1), 1.0), np.full((9, 1), 3.0)
    moments = Moments(1)
    for part in (few, many):
        moments.add(part, 1 / len(part))
    assert moments.mean == (2.0,) and moments.deviation(0.0) == (1.0,)


def test_of_nothing_and_of_what_never_changes() -> None:
    moments = Moments(2)
    assert moments.mean == (0.0, 0.0) and moments.deviation(0.5) == (0.5, 0.5)
    moments.add(np.full((3, 2), 7.0))
    assert moments.mean == (7.0, 7.0) and moments.deviation(1e-3) == (1e-3, 1e-3)


def test_some_are_drawn_in_their_order_and_by_the_seed() -> None:
    items = list(range(100))
    some = drawn(items, 10, 0)
    assert len(some) == 10 and list(some) == sorted(some) and some == drawn(items, 10, 0) != drawn(items, 10, 1)
    assert drawn(items, 100, 0) is items
