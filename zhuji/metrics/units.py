"""Metrics of units guessed, from sums by row: `loss` over `terms`, `id_loss` and `right` over `named` ids."""

from __future__ import annotations

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.metrics.weighted import Compute, Floats, WeightedMetric, ratio


def ratio_of(above: str, below: str, *, higher_is_better: bool) -> WeightedMetric:
    """The sum of one column over the sum of another; NaN where the second is 0."""
    return WeightedMetric((above, below), higher_is_better, _share(above, below))


def _share(above: str, below: str) -> Compute:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        return ratio(weights @ evidence[above].astype(np.float64), weights @ evidence[below].astype(np.float64))

    return compute


def _perplexity(evidence: Columns, weights: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.exp(_share("id_loss", "named")(evidence, weights))


def _bits(evidence: Columns, weights: Floats) -> Floats:
    return _share("id_loss", "named")(evidence, weights) / np.log(2)


loss = ratio_of("loss", "terms", higher_is_better=False)
"""Loss of one guess: nats of an id, squared error of values."""
accuracy = ratio_of("right", "named", higher_is_better=True)
"""Share of the ids that were guessed; NaN where units have none."""
perplexity = WeightedMetric(("id_loss", "named"), False, _perplexity)
"""exp of the mean loss of an id; NaN where units have none."""
bits = WeightedMetric(("id_loss", "named"), False, _bits)
"""Mean loss of an id in bits: what it costs to tell which one comes; NaN where units have none."""
