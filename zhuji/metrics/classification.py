"""Metrics of classes predicted: one label a row, `label (N,)` and `prediction (N,)`, or many, both `(N, C)` bool.

A label of -1 is a class that training never saw: no prediction equals it, so it counts as wrong everywhere, and as one more
class without a hit in macro averages. Classes that neither occur nor are predicted do not take part in an average.
All agree with scikit-learn's functions of the same name (zero_division=0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns
from zhuji.metrics.weighted import Compute, Floats, WeightedMetric, mean_where, ratio, sum_by

Average = Literal["macro", "micro", "weighted"]
LABELS = ("label", "prediction")


def _counts(evidence: Columns, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Hits, predicted and actual rows by class, each `(R, C)`; with one label a row, class 0 holds the unseen label -1."""
    label, prediction = evidence["label"], evidence["prediction"]
    if label.ndim == 2:
        hits, predicted, actual = (weights @ part.astype(np.float64) for part in (label & prediction, prediction, label))
        return hits, predicted, actual
    size = int(max(label.max(initial=0), prediction.max(initial=0))) + 2
    hit = (label == prediction) & (label >= 0)
    predicted, actual = sum_by(weights, prediction + 1, size), sum_by(weights, label + 1, size)
    return sum_by(weights * hit, label + 1, size), predicted, actual


def _precision(hits: Floats, predicted: Floats, actual: Floats) -> Floats:
    return ratio(hits, predicted, 0.0)


def _recall(hits: Floats, predicted: Floats, actual: Floats) -> Floats:
    return ratio(hits, actual, 0.0)


def _f1(hits: Floats, predicted: Floats, actual: Floats) -> Floats:
    return ratio(2 * hits, predicted + actual, 0.0)


def _averaged(by_class: Callable[[Floats, Floats, Floats], Floats], average: Average) -> WeightedMetric:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        hits, predicted, actual = _counts(evidence, weights)
        if average == "micro":
            return by_class(hits.sum(1), predicted.sum(1), actual.sum(1))
        scores = by_class(hits, predicted, actual)
        if average == "weighted":
            return ratio((scores * actual).sum(1), actual.sum(1), 0.0)
        # With many labels every class is on the list; with one, only classes that are met are known.
        many = evidence["label"].ndim == 2
        return scores.mean(1) if many else mean_where(scores, predicted + actual > 0)

    return WeightedMetric(LABELS, True, compute)


def _row_mean(right: Callable[[Columns], NDArray[Any]]) -> Compute:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        return ratio(weights @ right(evidence).astype(np.float64), weights.sum(1))

    return compute


def _correct(evidence: Columns) -> NDArray[np.bool_]:
    same = evidence["label"] == evidence["prediction"]
    return same.all(axis=1) if same.ndim == 2 else same & (evidence["label"] >= 0)


def _wrong_share(evidence: Columns) -> Floats:
    differs = evidence["label"] != evidence["prediction"]
    return differs.mean(axis=1) if differs.ndim == 2 else differs.astype(np.float64)


def _balanced_accuracy(evidence: Columns, weights: Floats) -> Floats:
    hits, predicted, actual = _counts(evidence, weights)
    return mean_where(_recall(hits, predicted, actual), actual > 0)


def _mcc(evidence: Columns, weights: Floats) -> Floats:
    """Gorodkin 2004, equation 8: the correlation of two label assignments."""
    hits, predicted, actual = _counts(evidence, weights)
    rows = weights.sum(1)
    both = hits.sum(1) * rows - (predicted * actual).sum(1)
    spread = (rows**2 - (predicted**2).sum(1)) * (rows**2 - (actual**2).sum(1))
    return ratio(both, np.sqrt(spread), 0.0)


accuracy = WeightedMetric(LABELS, True, _row_mean(_correct))
subset_accuracy = accuracy
"""Share of rows whose labels are all right."""
hamming_loss = WeightedMetric(LABELS, False, _row_mean(_wrong_share))
macro_precision, micro_precision, weighted_precision = (_averaged(_precision, a) for a in ("macro", "micro", "weighted"))
macro_recall, micro_recall, weighted_recall = (_averaged(_recall, a) for a in ("macro", "micro", "weighted"))
macro_f1, micro_f1, weighted_f1 = (_averaged(_f1, a) for a in ("macro", "micro", "weighted"))
balanced_accuracy = WeightedMetric(LABELS, True, _balanced_accuracy)
"""Mean recall of the classes that occur (one label a row)."""
mcc = WeightedMetric(LABELS, True, _mcc)
"""Matthews correlation coefficient (one label a row)."""


def confusion(evidence: Columns, classes: int) -> NDArray[np.int64]:
    """`(classes, classes)` rows by actual class (first axis) and predicted class; one label a row. Rows with an unseen label
    stand nowhere in it."""
    label, prediction = evidence["label"], evidence["prediction"]
    known = label >= 0
    codes = label[known].astype(np.int64) * classes + prediction[known]
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def per_class(evidence: Columns, names: Sequence[str]) -> list[dict[str, Any]]:
    """For every class `{label, precision, recall, f1, support, predicted}`, in the order of `names`."""
    hits, predicted, actual = _counts(evidence, np.ones((1, len(evidence["label"]))))
    first = 0 if evidence["label"].ndim == 2 else 1
    columns = [counts[0, first:] for counts in (hits, predicted, actual)]
    hits, predicted, actual = (np.pad(c, (0, max(0, len(names) - len(c)))) for c in columns)
    scores = [f(hits, predicted, actual) for f in (_precision, _recall, _f1)]
    return [
        {
            "label": name, "precision": float(scores[0][i]), "recall": float(scores[1][i]), "f1": float(scores[2][i]),
            "support": int(actual[i]), "predicted": int(predicted[i]),
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
