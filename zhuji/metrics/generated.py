"""How like real rows made ones are, by their features.

The numbers hold for the features that they were computed from, and depend on how many rows there are: beside those of made rows stand those of
real rows that were not learned from.

Shapes: N real rows, M made rows, D features, K the neighbour that a sphere reaches to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhuji.core.seed import stream
from zhuji.metrics.intervals import Interval
from zhuji.metrics.weighted import Floats, Ints, WeightedMetric, ratio

Rows = NDArray[Any]
SUSPECT = 0.05
"""Of real rows: the share that lies nearest to what was learned from. Of made rows, by chance as many lie that near."""
_CELLS = 1 << 22
"""Distances held at once (32 MB)."""
_STRIP = 1 << 24
"""Numbers of rows that are held as float64 at once (128 MB)."""


@dataclass(frozen=True)
class Gaussian:
    """Mean `(D,)` of rows, and a root `(R, D)` of their covariance: `root.T @ root` is the covariance, R at most D."""

    mean: Floats
    root: Floats

    @classmethod
    def of(cls, rows: Rows) -> Gaussian:
        """Of at least two rows `(N, D)`."""
        assert len(rows) > 1, "one row has no covariance"
        rows = rows.astype(np.float64)
        mean = rows.mean(0)
        return cls(mean, np.asarray(np.linalg.qr((rows - mean) / np.sqrt(len(rows) - 1), mode="r")))


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet distance of two normal distributions (Dowson & Landau 1982; of features of pictures: Heusel et al. 2017, section 3).

    The root of the product of both covariances is never taken: its trace is the sum of the singular values of `root_a @ root_b.T`, whose
    squares are the product's eigenvalues. So nothing is squared, and fewer rows than features need no care."""
    shared = np.linalg.svd(a.root @ b.root.T, compute_uv=False).sum()
    spread = (a.root**2).sum() + (b.root**2).sum() - 2 * shared
    return max(0.0, float(((a.mean - b.mean) ** 2).sum() + spread))


def frechet_interval(real: Gaussian, made: Rows, resamples: int = 50, seed: int = 0) -> Interval:
    """Distance of made rows `(M, D)` to a distribution, and the ends of its 95 % interval: 1.96 standard errors to either side, from rows drawn
    anew. Percentiles would mislead: rows drawn twice spread less, so each resample lies further off than the rows themselves do."""
    value, rng = frechet(real, Gaussian.of(made)), stream(seed, "frechet")
    drawn = [frechet(real, Gaussian.of(made[rng.integers(0, len(made), len(made))])) for _ in range(resamples)]
    if len(drawn) < 2:
        return Interval(value)
    error = 1.96 * float(np.std(drawn, ddof=1))
    return Interval(value, max(0.0, value - error), value + error)


def neighbourhoods(real: Rows, made: Rows, k: int = 5) -> dict[str, Floats]:
    """Evidence of real rows `(N, D)` and made rows `(M, D)` from spheres around each row that reach to its k-th neighbour of its own kind. The
    mean of each column is a score:

        precise (M,)   1 where a made row lies in a sphere of a real one: precision (Kynkaanniemi et al. 2019, section 2)
        dense (M,)     in how many such spheres, over k: density, 1 on average where both are alike (Naeem et al. 2020, section 3)
        recalled (N,)  1 where a real row lies in a sphere of a made one: recall
        covered (N,)   1 where a made row lies in a real one's sphere: coverage (Naeem et al. 2020)

    Both kinds should be of equal number. `k` is at most one less than the rows of the smaller kind."""
    assert 0 < k < min(len(real), len(made)), "a sphere needs k neighbours"
    centre = real.astype(np.float64).mean(0)
    real, made = real - centre, made - centre
    around_real, around_made = _reach(real, k), _reach(made, k)
    hits, recalled, covered = np.zeros(len(made)), np.zeros(len(real)), np.zeros(len(real))
    for start, squares in _squares(real, made):
        part = slice(start, start + len(squares))
        inside = squares <= around_real[part, None]
        hits += inside.sum(0)
        covered[part] = inside.any(1)
        recalled[part] = (squares <= around_made).any(1)
    return {"precise": (hits > 0).astype(np.float64), "dense": hits / k, "recalled": recalled, "covered": covered}


def _reach(rows: Floats, k: int) -> Floats:
    """`(N,)`: squared distance to the k-th nearest other row."""
    return np.concatenate([np.partition(squares, k, axis=1)[:, k] for _, squares in _squares(rows, rows)])


def _squares(a: Floats, b: Floats) -> Iterator[tuple[int, Floats]]:
    """Squared distances of some rows of `a` to all of `b`, and the number of the first of them."""
    lengths = (b**2).sum(1)
    step = max(1, _CELLS // max(1, len(b)))
    for start in range(0, len(a), step):
        part = a[start : start + step]
        yield start, np.maximum((part**2).sum(1)[:, None] + lengths - 2 * part @ b.T, 0)


def nearest(rows: Rows, among: Rows) -> tuple[Ints, Floats]:
    """Of each of `rows (M, …)` the place of the nearest of `among (N, …)`, and the distance: the root of the mean squared difference of a number."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    best, place = np.full(len(rows), np.inf), np.zeros(len(rows), np.int64)
    step = max(1, _STRIP // max(1, flat.shape[1]))
    for start in range(0, len(among), step):
        strip = among[start : start + step].reshape(-1, flat.shape[1]).astype(np.float64)
        centre = strip.mean(0)
        for first, squares in _squares(flat - centre, strip - centre):
            mine, lowest = squares.argmin(1), squares.min(1)
            part = np.arange(first, first + len(squares))
            closer = lowest < best[part]
            best[part[closer]], place[part[closer]] = lowest[closer], mine[closer] + start
    # Differences of large squares are rough where rows are almost equal: what was found is measured anew.
    found = among[place].reshape(len(rows), -1).astype(np.float64)
    return place, np.sqrt(((flat - found) ** 2).mean(1))


def nearer(made: Floats, real: Floats) -> float:
    """How often a made row lies nearer to its nearest training row than a real one does, of all pairs of distances `(M,)` and `(N,)`, equal ones
    half: 0.5 where nothing was copied (Meehan et al. 2020, section 3)."""
    ordered = np.sort(real)
    above = len(real) - np.searchsorted(ordered, made, side="right")
    equal = len(real) - np.searchsorted(ordered, made, side="left") - above
    return float((above + equal / 2).mean() / len(real))


def suspects(made: Floats, real: Floats, share: float = SUSPECT) -> Floats:
    """`(M,)`: 1 where a made row lies nearer to its nearest training row than all but a `share` of real ones do."""
    return (made < np.quantile(real, share)).astype(np.float64)


def mean_of(column: str) -> WeightedMetric:
    """Mean of a column of evidence."""
    return WeightedMetric((column,), True, lambda evidence, weights: ratio(weights @ evidence[column], weights.sum(1)))
