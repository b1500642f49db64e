"""How far made rows lie from real ones: the sliced Wasserstein distance (Rabin et al. 2011; Bonneel et al. 2015).

Both sets are laid on fixed random lines; on each, the distance is what must be moved times how far. Shapes: N rows, P lines, R resamples.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from zhuji.core.contracts import Columns
from zhuji.metrics.weighted import Floats, WeightedMetric

LINES = 64
_SEED = 0


@cache
def _lines(width: int) -> Tensor:
    drawn = torch.randn(width, LINES, generator=torch.Generator().manual_seed(_SEED))
    return drawn / drawn.square().sum(0).sqrt()


def laid_on_lines(values: Tensor) -> np.ndarray:
    """`(N, *V)` -> `(N, P)` float64: where each row falls on each line, in deviations of a value times the root of the number of values: of
    values that are independent, with deviation 1, a place has deviation 1."""
    flat = values.detach().float().flatten(1).cpu()
    return (flat @ _lines(flat.shape[1])).double().numpy()


def _distance(evidence: Columns, weights: Floats) -> Floats:
    real, made = evidence["real"], evidence["made"]
    total = np.zeros(len(weights))
    for line in range(real.shape[1]):
        places = np.concatenate((real[:, line], made[:, line]))
        order = np.argsort(places, kind="stable")
        # What stands on the left of each gap of the one set more than of the other must cross it.
        surplus = np.concatenate((weights, -weights), 1)[:, order].cumsum(1)[:, :-1]
        total += np.abs(surplus) @ np.diff(places[order])
    return total / real.shape[1] / weights.sum(1)


distance = WeightedMetric(("real", "made"), False, _distance)
"""Mean over the lines. 0 only where both sets fall on the same places; two draws of real rows are not at 0 either."""
