"""A metric as a function of row weights: the one idea behind scores, bootstrap intervals and permutation tests.

The plain score is the metric at weights of one; a bootstrap resample is the metric at the number of times that each row was
drawn; an exchange of two models' rows is a choice of weights over both. So a metric sorts or counts its rows once and answers
for many resamples together. R resamples, N rows, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns
from zhuji.core.errors import NotFinite

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Compute = Callable[[Columns, Floats], Floats]


@dataclass(frozen=True)
class WeightedMetric:
    """Fulfils `core.contracts.Metric`. `compute(evidence, weights (R, N))` gives `(R,)`: NaN where the metric has no value,
    e.g. AUROC without a positive row. Weights are whole numbers >= 0."""

    columns: tuple[str, ...]
    higher_is_better: bool
    compute: Compute

    def __call__(self, evidence: Columns) -> float:
        """The score over all rows; NaN without rows. Raises NotFinite when a column holds NaN or infinity."""
        self.check(evidence)
        rows = row_count(evidence, self.columns)
        return float(self.compute(evidence, np.ones((1, rows)))[0]) if rows else float("nan")

    def resampled(self, evidence: Columns, weights: Floats) -> Floats:
        """Scores `(R,)` at weights `(R, N)`; the evidence must have passed `check`."""
        return self.compute(evidence, weights)

    def check(self, evidence: Columns) -> None:
        for name in self.columns:
            column = evidence[name]
            if not np.issubdtype(column.dtype, np.floating):
                continue
            bad = ~np.isfinite(column)
            if bad.any():
                rows = int(bad.reshape(len(column), -1).any(axis=1).sum())
                raise NotFinite(what=name, rows=rows, total=len(column))


def row_count(evidence: Columns, columns: tuple[str, ...]) -> int:
    return len(evidence[columns[0]])


def sum_by(weights: Floats, codes: Ints, size: int) -> Floats:
    """`(R, size)`: the weight that falls on each code; rows are ordered once, so the cost does not grow with `size`."""
    sums = np.zeros((len(weights), size))
    if len(codes):
        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def ratio(above: Floats, below: Floats, otherwise: float = np.nan) -> Floats:
    """`above / below`, and `otherwise` where `below` is zero."""
    below = np.broadcast_to(below, np.broadcast_shapes(above.shape, below.shape))
    return np.divide(above, below, out=np.full(below.shape, otherwise), where=below != 0)


def mean_where(values: Floats, present: NDArray[np.bool_]) -> Floats:
    """Mean over the last axis of the values that are present; NaN where none is."""
    return ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))
