"""How sure a score is, and whether two models differ: resampling over the rows of one test set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns, Metric
from zhuji.core.seed import stream
from zhuji.metrics.weighted import Floats, WeightedMetric, row_count

CELLS = 4_000_000
"""Weights held at once (32 MB)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A score and the ends of its confidence interval; NaN ends when none was computed."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def as_dict(self) -> dict[str, float | None]:
        """For JSON: what has no value is null."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {name: value if math.isfinite(value) else None for name, value in ends.items()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference`: score of a minus score of b; `p`: how often chance alone gives one as large (two-sided)."""

    difference: Interval
    p: float

    def as_dict(self) -> dict[str, float | None]:
        return {**self.difference.as_dict(), "p": self.p}


def _sizes(resamples: int, rows: int) -> Iterator[int]:
    """Numbers of resamples that fit into memory together."""
    step = max(1, CELLS // max(1, rows))
    for start in range(0, resamples, step):
        yield min(step, resamples - start)


def _draws(rng: np.random.Generator, resamples: int, rows: int) -> Iterator[Floats]:
    """Bootstrap weights `(R, N)`: how often each row was drawn."""
    for size in _sizes(resamples, rows):
        weights = np.empty((size, rows))
        for row in weights:
            row[:] = np.bincount(rng.integers(0, rows, rows), minlength=rows)
        yield weights


def _swaps(rng: np.random.Generator, resamples: int, rows: int) -> Iterator[Floats]:
    """`(R, N)`: 1.0 where the two models' answers to a row are exchanged."""
    for size in _sizes(resamples, 2 * rows):
        yield rng.integers(0, 2, (size, rows)).astype(np.float64)


def _ends(value: float, scores: Floats, level: float) -> Interval:
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return Interval(value)
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def _resampled(metric: Metric, evidence: Columns, weights: Floats) -> Floats:
    """Scores `(R,)`; a metric that knows no weights is asked about the repeated rows."""
    if isinstance(metric, WeightedMetric):
        return metric.resampled(evidence, weights)
    repeats = (np.repeat(np.arange(len(times)), times.astype(np.int64)) for times in weights)
    return np.array([metric({name: column[rows] for name, column in evidence.items()}) for rows in repeats])


def bootstrap(metric: Metric, evidence: Columns, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> Interval:
    """Percentile bootstrap over rows (Efron & Tibshirani 1993, section 13.3). Resamples in which the metric has no value are left
    out; without resamples, or rows, the ends are NaN. The same seed draws the same rows for every metric. Raises NotFinite."""
    return bootstrap_all({"score": metric}, evidence, resamples, seed, level)["score"]


def bootstrap_all(
    metrics: Mapping[str, Metric], evidence: Columns, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """`bootstrap` of several metrics; the rows are drawn once for all."""
    values = {name: metric(evidence) for name, metric in metrics.items()}
    rows = len(next(iter(evidence.values()))) if evidence else 0
    scores: dict[str, list[Floats]] = {name: [] for name in metrics}
    for weights in _draws(stream(seed, "bootstrap"), resamples if rows else 0, rows):
        for name, metric in metrics.items():
            scores[name].append(_resampled(metric, evidence, weights))
    return {
        name: _ends(value, np.concatenate(scores[name]), level) if scores[name] else Interval(value)
        for name, value in values.items()
    }


def _both(metric: Metric, a: Columns, b: Columns) -> int:
    rows = row_count(a, metric.columns)
    other = row_count(b, metric.columns)
    assert rows == other, f"two models must answer the same rows, but answered {rows} and {other}"
    return rows


def paired_bootstrap(
    metric: Metric, a: Columns, b: Columns, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Comparison:
    """Koehn 2004: both models are scored on the same resampled rows. `p` is twice the share of resamples in which the model
    that is better on all rows is not better, at most 1."""
    rows, value = _both(metric, a, b), metric(a) - metric(b)
    if not resamples or not rows:
        return Comparison(Interval(value), 1.0)
    differences = np.concatenate([
        _resampled(metric, a, weights) - _resampled(metric, b, weights)
        for weights in _draws(stream(seed, "bootstrap"), resamples, rows)
    ])  # fmt: skip
    differences = differences[np.isfinite(differences)]
    against = (differences * np.sign(value) <= 0).sum()
    p = min(1.0, 2 * (1 + float(against)) / (1 + len(differences)))
    return Comparison(_ends(value, differences, level), p)


def permutation_test(metric: Metric, a: Columns, b: Columns, *, resamples: int = 1000, seed: int = 0) -> float:
    """Approximate randomisation (Noreen 1989, section 1A.5): two-sided p that exchanging the two models' answers row by row gives
    a difference as large as the one observed."""
    rows, observed = _both(metric, a, b), abs(metric(a) - metric(b))
    together = {name: np.concatenate([a[name], b[name]]) for name in metric.columns}
    as_large = 0
    for swap in _swaps(stream(seed, "permutation"), resamples, rows):
        first = _resampled(metric, together, np.hstack([1 - swap, swap]))
        second = _resampled(metric, together, np.hstack([swap, 1 - swap]))
        as_large += int((np.abs(first - second) >= observed - 1e-12).sum())
    return (1 + as_large) / (1 + resamples)


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> float:
    """McNemar 1947, exact: two-sided p that two models with equal accuracy differ so much on the rows where just one is right."""
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    trials, fewer = only_a + only_b, min(only_a, only_b)
    log_half = trials * math.log(0.5)
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + log_half for k in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(math.exp(value) for value in logs))
