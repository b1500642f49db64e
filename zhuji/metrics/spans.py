"""Metrics of tagged words, from sums by row: `actual`, `predicted` and `correct (N, K)` count spans by kind, `words` and `right (N,)`
words. A span is correct when kind, first and last word are. N rows, K kinds.

Precision, recall and F1 are those of seqeval in strict mode (Nakayama 2018), which equal conlleval's where tags keep to their scheme.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.metrics.weighted import Compute, Floats, WeightedMetric, ratio

COUNTS = ("correct", "predicted", "actual")


def _sums(evidence: Columns, weights: Floats) -> list[Floats]:
    """Each `(R, K)`."""
    return [weights @ evidence[name].astype(np.float64) for name in COUNTS]


def _share(of: str) -> Compute:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        return ratio(
            weights @ evidence["correct"].sum(1).astype(np.float64), weights @ evidence[of].sum(1).astype(np.float64), 0.0
        )

    return compute


def _f1(evidence: Columns, weights: Floats) -> Floats:
    correct, predicted, actual = (sums.sum(1) for sums in _sums(evidence, weights))
    return ratio(2 * correct, predicted + actual, 0.0)


def _macro_f1(evidence: Columns, weights: Floats) -> Floats:
    """Mean over the kinds that occur or are predicted."""
    correct, predicted, actual = _sums(evidence, weights)
    present = (predicted + actual) > 0
    return ratio(
        np.where(present, ratio(2 * correct, predicted + actual, 0.0), 0.0).sum(1), present.sum(1).astype(np.float64), 0.0
    )


def _accuracy(evidence: Columns, weights: Floats) -> Floats:
    return ratio(weights @ evidence["right"].astype(np.float64), weights @ evidence["words"].astype(np.float64))


def _lost(evidence: Columns, weights: Floats) -> Floats:
    return ratio(weights @ evidence["lost"].astype(np.float64), weights @ evidence["words"].astype(np.float64))


f1 = WeightedMetric(COUNTS, True, _f1)
precision = WeightedMetric(COUNTS, True, _share("predicted"))
recall = WeightedMetric(COUNTS, True, _share("actual"))
macro_f1 = WeightedMetric(COUNTS, True, _macro_f1)
accuracy = WeightedMetric(("right", "words"), True, _accuracy)
"""Share of the words whose tag is right."""
lost = WeightedMetric(("lost", "words"), False, _lost)
"""Share of the words that were cut off, and so are taken to be outside of any span."""


def per_kind(evidence: Columns, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """For every kind `{label, precision, recall, f1, support, predicted}`, in the order of `kinds`."""
    correct, predicted, actual = (sums[0] for sums in _sums(evidence, np.ones((1, len(evidence["actual"])))))
    shares = [ratio(correct, predicted, 0.0), ratio(correct, actual, 0.0), ratio(2 * correct, predicted + actual, 0.0)]
    return [
        {
            "label": kind, "precision": float(shares[0][i]), "recall": float(shares[1][i]), "f1": float(shares[2][i]),
            "support": int(actual[i]), "predicted": int(predicted[i]),
        }
        for i, kind in enumerate(kinds)
    ]  # fmt: skip
