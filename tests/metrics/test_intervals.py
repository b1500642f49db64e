import math

import numpy as np
import pytest
from scipy import stats

from zhuji.metrics import classification, probabilities, regression
from zhuji.metrics.classification import accuracy, macro_f1
from zhuji.metrics.intervals import Interval, bootstrap, bootstrap_all, mcnemar, paired_bootstrap, permutation_test


def evidence(seed, rows, share=0.8, classes=4):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, rows)
    right = rng.random(rows) < share
    return {"label": label, "prediction": np.where(right, label, (label + 1) % classes)}


def test_the_interval_is_that_of_a_plain_loop():
    e, rows = evidence(0, 150), 150
    rng = np.random.default_rng(1)
    scores = [macro_f1({k: v[drawn] for k, v in e.items()}) for drawn in rng.integers(0, rows, (2000, rows))]
    found = bootstrap(macro_f1, e, 2000, seed=5)
    assert found.value == macro_f1(e)
    assert (found.low, found.high) == pytest.approx(np.quantile(scores, [0.025, 0.975]), abs=0.01)


def test_coverage_is_near_what_it_says():
    """400 simulated test sets of 200 rows, true accuracy 0.8: 95 % intervals hold it in 92 to 98 % (4 standard errors: 4.4)."""
    inside = sum(
        found.low <= 0.8 <= found.high for found in (bootstrap(accuracy, evidence(s, 200), 200, seed=s) for s in range(400))
    )
    assert 0.91 <= inside / 400 <= 0.98


def test_the_same_seed_gives_the_same_interval():
    e = evidence(3, 100)
    assert bootstrap(accuracy, e, 50, seed=1) == bootstrap(accuracy, e, 50, seed=1)
    assert bootstrap(accuracy, e, 50, seed=1) != bootstrap(accuracy, e, 50, seed=2)
    assert bootstrap_all({"a": accuracy, "f": macro_f1}, e, 50, seed=1)["a"] == bootstrap(accuracy, e, 50, seed=1)


def test_memory_is_cut_into_blocks_without_changing_the_numbers(monkeypatch):
    e = evidence(3, 100)
    whole = bootstrap(accuracy, e, 50)
    monkeypatch.setattr("zhuji.metrics.intervals.CELLS", 700)
    assert bootstrap(accuracy, e, 50) == whole


def test_a_metric_that_knows_no_weights_is_resampled_too():
    class Plain:
        columns, higher_is_better = ("label", "prediction"), True

        def __call__(self, evidence):
            return float((evidence["label"] == evidence["prediction"]).mean())

    assert bootstrap(Plain(), evidence(4, 80), 60) == bootstrap(accuracy, evidence(4, 80), 60)


def test_without_resamples_or_rows_there_are_no_ends():
    found = bootstrap(accuracy, evidence(0, 10), 0)
    assert math.isnan(found.low)
    assert found.as_dict() == {"value": found.value, "low": None, "high": None}
    assert bootstrap(accuracy, evidence(0, 0), 10).as_dict() == {"value": None, "low": None, "high": None}
    assert Interval(1.0, 0.5, 1.5).as_dict() == {"value": 1.0, "low": 0.5, "high": 1.5}


def test_resamples_without_a_value_are_left_out():
    e = {
        "label": np.array([0, 0, 0, 1]),
        "prediction": np.zeros(4, int),
        "probabilities": np.linspace(0.1, 0.8, 8).reshape(4, 2),
    }
    found = bootstrap(probabilities.auroc, e, 200)
    assert found.low == found.high == found.value


def test_two_models_that_differ_and_two_that_do_not():
    good, bad, same = evidence(0, 600, 0.9), evidence(0, 600, 0.7), evidence(0, 600, 0.9)
    better = paired_bootstrap(accuracy, good, bad, resamples=500)
    assert better.p < 0.01
    assert 0 < better.difference.low < better.difference.value < better.difference.high
    assert permutation_test(accuracy, good, bad, resamples=500) == pytest.approx(1 / 501)
    assert paired_bootstrap(accuracy, good, same, resamples=100).p == 1
    assert permutation_test(accuracy, good, same, resamples=100) == 1


def test_permutation_of_accuracy_agrees_with_mcnemar():
    a, b = evidence(0, 300, 0.85), evidence(1, 300, 0.8)
    b["label"] = a["label"]
    b["prediction"] = np.where(np.random.default_rng(2).random(300) < 0.8, a["label"], (a["label"] + 1) % 4)
    exact = mcnemar(a["label"] == a["prediction"], b["label"] == b["prediction"])
    assert permutation_test(accuracy, a, b, resamples=4000) == pytest.approx(exact, abs=0.03)


def test_permutation_under_no_difference_is_rarely_significant():
    rng = np.random.default_rng(0)
    found = []
    for seed in range(150):
        label = rng.integers(0, 2, 80)
        a, b = ({"label": label, "prediction": np.where(rng.random(80) < 0.75, label, 1 - label)} for _ in range(2))
        found.append(permutation_test(accuracy, a, b, resamples=99, seed=seed))
    assert np.mean(np.array(found) <= 0.05) <= 0.09


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (10, 3), (40, 60), (3000, 2900)])
def test_mcnemar_is_the_binomial_test(only_a, only_b):
    a = np.array([True] * only_a + [False] * only_b + [True] * 5)
    b = np.array([False] * only_a + [True] * only_b + [True] * 5)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)


def test_regression_has_intervals():
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    e = {"target": target, "prediction": target + rng.normal(size=200) * 0.5}
    found = bootstrap_all({"rmse": regression.rmse, "spearman": regression.spearman}, e, 200)
    assert 0.4 < found["rmse"].low < 0.5 < found["rmse"].high < 0.6
    assert found["spearman"].low < found["spearman"].value < found["spearman"].high
    assert classification.accuracy.higher_is_better
