import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.seed import stream
from zhuji.metrics.classification import macro_f1
from zhuji.metrics.evidence import Evidence
from zhuji.metrics.intervals import bootstrap

ROWS = 40
COLUMNS = {
    "label": np.arange(ROWS) % 3,
    "prediction": np.arange(ROWS) % 5 % 3,
    "probabilities": np.linspace(0, 1, 2 * ROWS).reshape(ROWS, 2),
}


def part(rows):
    state = Evidence.empty()
    state.add({k: v[rows] for k, v in COLUMNS.items()}, rows)
    return state


@given(st.lists(st.integers(1, ROWS - 1), max_size=6), st.integers(0, 100))
def test_any_cut_and_any_order_give_the_same_bits(cuts, seed):
    order = stream(seed, "test").permutation(ROWS)
    merged = Evidence.empty()
    for rows in np.split(order, sorted(cuts)):
        merged = part(rows).merge(merged)
    assert len(merged) == ROWS
    for name, column in merged.columns().items():
        assert (column == COLUMNS[name]).all()
    assert bootstrap(macro_f1, merged.columns(), 20) == bootstrap(macro_f1, COLUMNS, 20)


def test_rows_that_came_twice_count_once():
    merged = part(np.arange(0, 25)).merge(part(np.arange(20, ROWS)))
    assert (merged.rows() == np.arange(ROWS)).all()
    assert (merged.columns()["label"] == COLUMNS["label"]).all()


def test_rows_are_numbered_on():
    state = Evidence.empty()
    for start in range(0, ROWS, 7):
        state.add({k: v[start : start + 7] for k, v in COLUMNS.items()})
    assert (state.columns()["probabilities"] == COLUMNS["probabilities"]).all()


def test_merging_does_not_change_its_parts():
    a, b = part(np.arange(5)), part(np.arange(5, 9))
    a.merge(b)
    assert (len(a), len(b)) == (5, 4)


def test_nothing_is_nothing():
    assert Evidence.empty().columns() == {}
    assert len(Evidence.empty().merge(Evidence.empty())) == 0
