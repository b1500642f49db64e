"""Metrics of numbers predicted: `target (N,)` and `prediction (N,)`, in the target's own unit."""

from __future__ import annotations

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.metrics.weighted import Floats, WeightedMetric, ratio

NUMBERS = ("target", "prediction")


def _pair(evidence: Columns) -> tuple[Floats, Floats]:
    return evidence["target"].astype(np.float64), evidence["prediction"].astype(np.float64)


def _mse(evidence: Columns, weights: Floats) -> Floats:
    target, prediction = _pair(evidence)
    return ratio(weights @ (target - prediction) ** 2, weights.sum(1))


def _rmse(evidence: Columns, weights: Floats) -> Floats:
    return np.sqrt(_mse(evidence, weights))


def _mae(evidence: Columns, weights: Floats) -> Floats:
    target, prediction = _pair(evidence)
    return ratio(weights @ np.abs(target - prediction), weights.sum(1))


def _r2(evidence: Columns, weights: Floats) -> Floats:
    """1 - residual / total sum of squares. A constant target has nothing to explain: 1 if hit exactly, else 0, as scikit-learn
    has it; fewer than two rows have no value."""
    target, prediction = _pair(evidence)
    centred, rows = target - target.mean(), weights.sum(1)
    residual = weights @ (target - prediction) ** 2
    total = weights @ centred**2 - ratio((weights @ centred) ** 2, rows, 0.0)
    # What rounding leaves of a sum of squares that is truly zero is not variance.
    constant = total <= 1e-12 * (weights @ centred**2)
    explained = 1 - ratio(residual, np.where(constant, 0.0, total), 0.0)
    return np.where(rows < 2, np.nan, np.where(constant, np.where(residual == 0, 1.0, 0.0), explained))


def _standard(values: Floats) -> Floats:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else values * 0


def _correlation(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Pearson's r; `first` and `second` are `(N,)` or one row per resample `(R, N)`."""

    def mean(values: Floats) -> Floats:
        return ratio((weights * values).sum(1), weights.sum(1))

    a, b = first - mean(first)[:, None], second - mean(second)[:, None]
    var_a, var_b = mean(a * a), mean(b * b)
    flat = (var_a <= 1e-15 * mean(first * first)) | (var_b <= 1e-15 * mean(second * second))
    return np.where(flat, np.nan, ratio(mean(a * b), np.sqrt(var_a * var_b)))


def _pearson(evidence: Columns, weights: Floats) -> Floats:
    target, prediction = _pair(evidence)
    return _correlation(_standard(target), _standard(prediction), weights)


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Mid-ranks `(R, N)` of the rows as often as they were drawn, relative to the middle rank."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    drawn = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(drawn, axis=1) - drawn / 2 - weights.sum(1, keepdims=True) / 2
    return middle[:, place]


def _spearman(evidence: Columns, weights: Floats) -> Floats:
    target, prediction = _pair(evidence)
    return _correlation(_ranks(target, weights), _ranks(prediction, weights), weights)


rmse = WeightedMetric(NUMBERS, False, _rmse)
mae = WeightedMetric(NUMBERS, False, _mae)
r2 = WeightedMetric(NUMBERS, True, _r2)
pearson = WeightedMetric(NUMBERS, True, _pearson)
"""Pearson's correlation; NaN where a side is constant."""
spearman = WeightedMetric(NUMBERS, True, _spearman)
"""Pearson's correlation of the ranks, ties sharing their mean rank."""
