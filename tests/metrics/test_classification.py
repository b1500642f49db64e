import numpy as np
import pytest

from zhuji.metrics.classification import accuracy, confusion, macro_f1, per_class, weighted_f1


def evidence(label, prediction):
    return {"label": np.array(label, np.int64), "prediction": np.array(prediction, np.int64)}


def test_unseen_labels_count_as_wrong():
    assert accuracy(evidence([0, -1, -1], [0, 0, 1])) == pytest.approx(1 / 3)
    # Classes 0 (precision 1/2, recall 1), 1 (never right) and the unseen one.
    assert macro_f1(evidence([0, -1, -1], [0, 0, 1])) == pytest.approx((2 / 3) / 3)


def test_no_rows_have_no_score():
    assert np.isnan(accuracy(evidence([], [])))


def test_confusion_leaves_unseen_labels_out():
    assert confusion(evidence([0, 1, -1], [1, 1, 0]), 2).tolist() == [[0, 1], [0, 1]]


def test_per_class_lists_classes_that_never_occur():
    table = per_class(evidence([0, 0], [0, 1]), ["a", "b", "c"])
    assert [row["support"] for row in table] == [2, 0, 0]
    assert [row["predicted"] for row in table] == [1, 1, 0]
    assert table[0]["f1"] == pytest.approx(2 / 3)
    assert table[2]["f1"] == 0


def test_weights_are_repetitions():
    rng = np.random.default_rng(0)
    e = evidence(rng.integers(-1, 4, 50), rng.integers(0, 4, 50))
    times = rng.integers(0, 3, 50)
    repeated = {name: np.repeat(column, times) for name, column in e.items()}
    for metric in (accuracy, macro_f1, weighted_f1):
        found = metric.resampled(e, times[None].astype(float))[0]
        assert found == pytest.approx(metric(repeated), abs=1e-12)
