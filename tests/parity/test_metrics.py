"""Every metric against scikit-learn (and SciPy, which it brings) on random evidence with ties, absent classes and odd sizes.

Tolerance 1e-9: both sides compute in float64 and differ by the order of a few thousand additions at most.
"""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from zhuji.metrics import classification, probabilities, regression

CLOSE = {"rel": 1e-9, "abs": 1e-9}
ONE_LABEL = {
    "accuracy": lambda e: sk.accuracy_score(e["label"], e["prediction"]),
    "balanced_accuracy": lambda e: sk.balanced_accuracy_score(e["label"], e["prediction"]),
    "mcc": lambda e: sk.matthews_corrcoef(e["label"], e["prediction"]),
    "hamming_loss": lambda e: sk.hamming_loss(e["label"], e["prediction"]),
} | {
    f"{average}_{name}": lambda e, f=f, a=average: f(e["label"], e["prediction"], average=a, zero_division=0)
    for average in ("macro", "micro", "weighted")
    for name, f in {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}.items()
}


def one_label(seed, rows, classes, *, absent=(), digits=2):
    rng = np.random.default_rng(seed)
    probabilities_ = rng.dirichlet(np.ones(classes), rows).round(digits) + 10.0**-digits / 5
    probabilities_ /= probabilities_.sum(1, keepdims=True)
    present = [c for c in range(classes) if c not in absent]
    label = rng.choice(present, rows)
    label = np.where(
        rng.random(rows) < 0.4, np.where(np.isin(probabilities_.argmax(1), absent), label, probabilities_.argmax(1)), label
    )
    return {"label": label.astype(np.int64), "prediction": probabilities_.argmax(1), "probabilities": probabilities_}


def many_labels(seed, rows, classes):
    rng = np.random.default_rng(seed)
    p = rng.random((rows, classes)).round(2)
    return {"label": rng.random((rows, classes)) < p * 0.8, "prediction": p >= 0.5, "probabilities": p}


CASES = [
    one_label(0, 500, 20),
    one_label(1, 7, 3),
    one_label(2, 200, 2),
    one_label(3, 300, 6, absent=(0, 4)),
    one_label(4, 1, 3),
]


@pytest.mark.parametrize("name", ONE_LABEL)
@pytest.mark.parametrize("case", range(len(CASES)))
def test_label_metrics(name, case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ONE_LABEL[name](CASES[case])
    assert getattr(classification, name)(CASES[case]) == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("name", ONE_LABEL)
def test_an_unseen_label_is_a_class_without_a_hit(name):
    evidence = one_label(5, 300, 5)
    evidence["label"][::17] = -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ONE_LABEL[name](evidence)
    assert getattr(classification, name)(evidence) == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("rows", [1, 12, 400])
def test_many_label_averages(average, rows):
    e = many_labels(rows, rows, 7)
    for name, reference in {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}.items():
        expected = reference(e["label"], e["prediction"], average=average, zero_division=0)
        assert getattr(classification, f"{average}_{name}")(e) == pytest.approx(expected, **CLOSE), name


def test_many_label_rows():
    e = many_labels(3, 400, 5)
    assert classification.subset_accuracy(e) == pytest.approx(sk.accuracy_score(e["label"], e["prediction"]), **CLOSE)
    assert classification.hamming_loss(e) == pytest.approx(sk.hamming_loss(e["label"], e["prediction"]), **CLOSE)


@pytest.mark.parametrize(("rows", "classes"), [(500, 20), (200, 2), (40, 3), (3, 2)])
def test_log_loss_and_brier(rows, classes):
    e = one_label(7, rows, classes)
    expected = sk.log_loss(e["label"], e["probabilities"], labels=range(classes))
    assert probabilities.log_loss(e) == pytest.approx(expected, **CLOSE)
    truth = np.eye(classes)[e["label"]]
    brier = ((e["probabilities"] - truth) ** 2).sum(1).mean() / (2 if classes == 2 else 1)
    assert probabilities.brier(e) == pytest.approx(brier, **CLOSE)
    if classes == 2:
        assert brier == pytest.approx(sk.brier_score_loss(e["label"], e["probabilities"][:, 1], labels=[0, 1]), **CLOSE)


def test_log_loss_of_a_probability_of_zero_is_clipped():
    e = {"label": np.array([0, 1]), "probabilities": np.array([[0.0, 1.0], [0.0, 1.0]])}
    assert probabilities.log_loss(e) == pytest.approx(sk.log_loss(e["label"], e["probabilities"]), **CLOSE)


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_auroc(digits):
    two = one_label(8, 300, 2, digits=digits)
    assert probabilities.auroc(two) == pytest.approx(sk.roc_auc_score(two["label"], two["probabilities"][:, 1]), **CLOSE)
    more = one_label(9, 400, 6, digits=digits)
    expected = sk.roc_auc_score(more["label"], more["probabilities"], multi_class="ovr", average="macro")
    assert probabilities.auroc(more) == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_average_precision(digits):
    two = one_label(10, 300, 2, digits=digits)
    expected = sk.average_precision_score(two["label"], two["probabilities"][:, 1])
    assert probabilities.average_precision(two) == pytest.approx(expected, **CLOSE)
    more = one_label(11, 400, 6, digits=digits)
    expected = sk.average_precision_score(np.eye(6)[more["label"]], more["probabilities"], average="macro")
    assert probabilities.average_precision(more) == pytest.approx(expected, **CLOSE)


def test_many_label_probabilities():
    e = many_labels(12, 300, 5)
    assert probabilities.auroc(e) == pytest.approx(sk.roc_auc_score(e["label"], e["probabilities"]), **CLOSE)
    assert probabilities.average_precision(e) == pytest.approx(
        sk.average_precision_score(e["label"], e["probabilities"]), **CLOSE
    )
    by_label = [sk.log_loss(e["label"][:, c], e["probabilities"][:, c], labels=[False, True]) for c in range(5)]
    assert probabilities.log_loss(e) == pytest.approx(np.mean(by_label), **CLOSE)
    assert probabilities.brier(e) == pytest.approx(((e["label"] - e["probabilities"]) ** 2).mean(), **CLOSE)


@pytest.mark.parametrize(("rows", "digits"), [(500, 12), (60, 1), (2, 12)])
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_regression(rows, digits, shift):
    rng = np.random.default_rng(rows)
    target = (rng.normal(size=rows) * 3).round(digits) + shift
    prediction = (target + rng.normal(size=rows)).round(digits)
    e = {"target": target, "prediction": prediction}
    expected = {
        "rmse": sk.root_mean_squared_error(target, prediction), "mae": sk.mean_absolute_error(target, prediction),
        "r2": sk.r2_score(target, prediction), "pearson": stats.pearsonr(target, prediction).statistic,
        "spearman": stats.spearmanr(target, prediction).statistic,
    }  # fmt: skip
    for name, value in expected.items():
        assert getattr(regression, name)(e) == pytest.approx(value, **CLOSE), name


@pytest.mark.parametrize("miss", [0.0, 0.5])
def test_r2_of_a_constant_target(miss):
    e = {"target": np.full(5, 0.1), "prediction": np.full(5, 0.1 + miss)}
    assert regression.r2(e) == sk.r2_score(e["target"], e["prediction"])


def test_per_class_and_confusion():
    e = one_label(13, 300, 6, absent=(5,))
    table = classification.per_class(e, list("abcdef"))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        e["label"], e["prediction"], labels=range(6), zero_division=0
    )
    for i, row in enumerate(table):
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision[i], recall[i], f1[i]), **CLOSE)
        assert row["support"] == support[i]
    assert (classification.confusion(e, 6) == sk.confusion_matrix(e["label"], e["prediction"], labels=range(6))).all()
