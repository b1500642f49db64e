import numpy as np
import pytest

from zhuji.core.contracts import Encoded
from zhuji.tasks.next_unit import NextUnit
from zhuji.training.foreseen import MOST_IDS, counted


def row(*ids: int) -> Encoded:
    return Encoded(ids=np.array(ids, np.int32))


def test_counts_by_hand() -> None:
    """Of the units that follow: 1, 0, 1, 1. Alone: (1 + 1, 3 + 1) of 6. After 0 came 1 twice, of one kind; after 1 came 0 once and 1 once, of two kinds."""
    train, test = [row(0, 1, 0, 1), row(1, 1)], [row(0, 1, 1), row(1)]
    found = counted(NextUnit(), train, test, ("a", "b"), 2)
    assert list(found) == ["unigram", "previous_unit"]
    alone = -np.log2(4 / 6)
    after_0, after_1 = (2 + 1 * 4 / 6) / 3, (1 + 2 * 4 / 6) / 4
    assert found["unigram"].scores.value("bits_per_unit") == pytest.approx(alone)
    assert found["previous_unit"].scores.value("bits_per_unit") == pytest.approx(-np.log2(after_0 * after_1) / 2)
    assert found["unigram"].scores.value("next_accuracy") == 1.0
    assert found["unigram"].scores.columns["named"].tolist() == [2, 0] and found["unigram"].scores.ids == ("a", "b")


def test_what_follows_is_a_distribution_whatever_came_before() -> None:
    rows = [row(*np.random.default_rng(0).integers(0, 5, 50))]
    for before in range(7):
        tests = [row(before, after) for after in range(7)]
        for one in counted(NextUnit(), rows, tests, tuple("abcdefg"), 7).values():
            assert np.exp(-one.scores.columns["loss"]).sum() == pytest.approx(1)


def test_nothing_is_counted_without_rows_or_ids_or_of_too_many() -> None:
    rows = [row(0, 1)]
    for train, test, size in (([], rows, 2), (rows, [], 2), (rows, rows, 0), (rows, rows, MOST_IDS + 1)):
        assert counted(NextUnit(), train, test, ("a",), size) == {}
