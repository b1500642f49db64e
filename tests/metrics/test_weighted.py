import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.contracts import Metric
from zhuji.core.errors import NotFinite
from zhuji.metrics import classification, probabilities, regression
from zhuji.metrics.weighted import WeightedMetric, sum_by

ALL = {
    name: metric
    for room in (classification, probabilities, regression)
    for name, metric in vars(room).items()
    if isinstance(metric, WeightedMetric)
}


def evidence(rng, rows, classes=4):
    p = rng.dirichlet(np.ones(classes), rows).round(1) + 0.01
    p /= p.sum(1, keepdims=True)
    return {
        "label": rng.integers(-1, classes, rows), "prediction": p.argmax(1), "probabilities": p,
        "target": rng.normal(size=rows).round(1),
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_every_metric_at_weights_is_the_metric_of_repeated_rows(name):
    rng = np.random.default_rng(1)
    e, times = evidence(rng, 60), rng.integers(0, 3, (5, 60))
    found = ALL[name].resampled(e, times.astype(float))
    expected = [ALL[name]({k: np.repeat(v, t, axis=0) for k, v in e.items()}) for t in times]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_rows_does_not_matter(name):
    rng = np.random.default_rng(2)
    e, order = evidence(rng, 60), rng.permutation(60)
    assert ALL[name]({k: v[order] for k, v in e.items()}) == pytest.approx(ALL[name](e), abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_one_row_and_no_row_do_not_crash(name):
    rng = np.random.default_rng(3)
    assert isinstance(ALL[name](evidence(rng, 1)), float)
    assert np.isnan(ALL[name](evidence(rng, 0)))


@pytest.mark.parametrize("name", [n for n, m in ALL.items() if {"probabilities", "target"} & set(m.columns)])
def test_nan_is_refused(name):
    e = evidence(np.random.default_rng(4), 10)
    e["probabilities"][3, 1] = np.nan
    e["target"][3] = np.inf
    with pytest.raises(NotFinite, match="1 of 10"):
        ALL[name](e)


def test_metrics_fulfil_the_contract():
    metric: Metric = classification.accuracy
    assert metric.higher_is_better
    assert {n for n, m in ALL.items() if not m.higher_is_better} == {
        "hamming_loss", "log_loss", "brier", "ece", "ece_width", "rmse", "mae",
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=20))
def test_sum_by_is_a_loop(pairs):
    codes = np.array([c for c, _ in pairs], np.int64)
    weights = np.array([[w for _, w in pairs]], float)
    expected = [sum(w for c, w in pairs if c == code) for code in range(6)]
    assert sum_by(weights, codes, 6)[0].tolist() == expected
