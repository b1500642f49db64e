"""Metrics of the probabilities behind a prediction: `probabilities (N, C)` beside `label` and `prediction`.

One label a row: `label (N,)`, rows of probabilities sum to 1. Many labels: `label (N, C)` bool, each probability stands alone.
A label of -1 (a class that training never saw) has probability 0: it is a class more to the Brier score, a miss to calibration,
a negative to every ranking; log loss, where it would be infinite, leaves such rows out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns
from zhuji.metrics.weighted import Compute, Floats, WeightedMetric, mean_where, ratio, sum_by

BINS = 15
EVERYTHING = ("label", "prediction", "probabilities")


def _positives(evidence: Columns) -> NDArray[np.bool_]:
    """`(N, C)`: which classes each row belongs to."""
    label, classes = evidence["label"], evidence["probabilities"].shape[1]
    if label.ndim == 2:
        return label.astype(np.bool_)
    return cast(NDArray[np.bool_], label[:, None] == np.arange(classes))


def _log_loss(evidence: Columns, weights: Floats) -> Floats:
    label, probabilities = evidence["label"], evidence["probabilities"].astype(np.float64)
    tiny = np.finfo(np.float64).eps
    inside = np.clip(probabilities, tiny, 1 - tiny)
    if label.ndim == 2:
        rows = -np.where(label, np.log(inside), np.log1p(-inside)).mean(axis=1)
        return ratio(weights @ rows, weights.sum(1))
    known = label >= 0
    rows = -np.log(inside[np.arange(len(label)), np.where(known, label, 0)]) * known
    return ratio(weights @ rows, weights @ known.astype(np.float64))


def _brier(evidence: Columns, weights: Floats) -> Floats:
    """Brier 1950: the squared distance to the truth, summed over classes; halved for two classes, as is usual there."""
    label, probabilities = evidence["label"], evidence["probabilities"].astype(np.float64)
    squares = (probabilities - _positives(evidence)) ** 2
    if label.ndim == 2:
        rows = squares.mean(axis=1)
    else:
        rows = (squares.sum(axis=1) + (label < 0)) / (2 if probabilities.shape[1] == 2 else 1)
    return ratio(weights @ rows, weights.sum(1))


def _confidence(evidence: Columns) -> tuple[Floats, Floats]:
    """`(N, K)` confidences and whether each came true: the predicted class's, or with many labels every label's own."""
    label, probabilities = evidence["label"], evidence["probabilities"].astype(np.float64)
    if label.ndim == 2:
        return probabilities, label.astype(np.float64)
    chosen = probabilities[np.arange(len(label)), evidence["prediction"]]
    return chosen[:, None], (label == evidence["prediction"]).astype(np.float64)[:, None]


def _ece_width(evidence: Columns, weights: Floats) -> Floats:
    """Guo et al. 2017, equation 3: bins ((m-1)/M, m/M]."""
    confidence, hit = _confidence(evidence)
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.zeros((len(weights), BINS))
    for column in range(confidence.shape[1]):
        gaps += sum_by(weights * (hit - confidence)[:, column], bins[:, column], BINS)
    return ratio(np.abs(gaps).sum(1), weights.sum(1) * confidence.shape[1])


def _ece_mass(evidence: Columns, weights: Floats) -> Floats:
    """Nixon et al. 2019, section 3 (adaptive bins): equally many answers in every bin, sizes differing by one at most."""
    confidence, hit = (part.ravel() for part in _confidence(evidence))
    labels = len(confidence) // max(1, weights.shape[1])
    order = np.lexsort((hit, confidence))
    gap = (hit - confidence)[order]
    repeats = np.repeat(weights, labels, axis=1)[:, order].astype(np.int64)
    return np.array([_mass_gap(np.repeat(gap, times)) for times in repeats])


def _mass_gap(gap: Floats) -> float:
    """Expected gap of answers sorted by confidence."""
    if not len(gap):
        return float("nan")
    whole, rest = divmod(len(gap), BINS)
    starts = np.cumsum([0, *([whole + 1] * rest), *([whole] * (BINS - rest))])[:-1]
    return float(np.abs(np.add.reduceat(gap, starts[starts < len(gap)])).sum() / len(gap))


def _by_class(ranking: Callable[[Floats, NDArray[np.bool_], Floats], tuple[Floats, NDArray[np.bool_]]]) -> Compute:
    """Mean over classes of a ranking score; with two exclusive classes the second one's."""

    def compute(evidence: Columns, weights: Floats) -> Floats:
        scores, positives = evidence["probabilities"].astype(np.float64), _positives(evidence)
        two = evidence["label"].ndim == 1 and scores.shape[1] == 2
        columns = [1] if two else range(scores.shape[1])
        found = [ranking(scores[:, c], positives[:, c], weights) for c in columns]
        return mean_where(np.stack([f[0] for f in found], -1), np.stack([f[1] for f in found], -1))

    return compute


def _ranked(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Weight of positives and of negatives `(R, K)` at K scores, best first. Neighbouring scores that no positive has are taken
    together: no ranking score tells them apart, and they are most of what there is."""
    order = np.argsort(-scores, kind="stable")
    new = np.diff(-scores[order], prepend=-np.inf) > 0
    group = np.cumsum(new) - 1
    bears = np.zeros(group[-1] + 1, dtype=np.bool_)
    bears[group[positive[order]]] = True
    starts = np.flatnonzero(new)[bears | np.roll(bears, 1) | (np.arange(len(bears)) == 0)]
    place = np.searchsorted(starts, np.flatnonzero(positive[order]), side="right") - 1
    hits = sum_by(weights[:, order[positive[order]]], place, len(starts))
    return hits, np.add.reduceat(weights[:, order], starts, axis=1) - hits


def _auroc(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Probability that a positive ranks above a negative, ties counting half (Mann & Whitney 1947)."""
    above, below = _ranked(scores, positive, weights)
    wins = (below * (np.cumsum(above, axis=1) - above / 2)).sum(1)
    pairs = above.sum(1) * below.sum(1)
    return ratio(wins, pairs, 0.0), pairs > 0


def _average_precision(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Precision at every score, weighted by the recall gained there; not interpolated."""
    hits, misses = _ranked(scores, positive, weights)
    found = np.cumsum(hits, axis=1)
    precision = ratio(found, found + np.cumsum(misses, axis=1), 0.0)
    total = hits.sum(1)
    return ratio((precision * hits).sum(1), total, 0.0), total > 0


log_loss = WeightedMetric(("label", "probabilities"), False, _log_loss)
brier = WeightedMetric(("label", "probabilities"), False, _brier)
ece = WeightedMetric(EVERYTHING, False, _ece_mass)
"""Expected calibration error over 15 bins of equal mass."""
ece_width = WeightedMetric(EVERYTHING, False, _ece_width)
"""Expected calibration error over 15 bins of equal width."""
auroc = WeightedMetric(("label", "probabilities"), True, _by_class(_auroc))
"""Area under the ROC curve; over more than two classes the mean of one-against-rest over classes that can be ranked."""
average_precision = WeightedMetric(("label", "probabilities"), True, _by_class(_average_precision))
