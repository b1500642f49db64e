"""Metrics of embeddings: `first (N, E)`, and of each row's other view `second (N, E)`, or its class `group (N,)` (-1: none), or what a
teacher makes of it, `taught (N, W)` (zero: unknown).

All work on vectors of length 1. What compares rows with each other does so among the first `SAMPLE` rows of a split, and a bootstrap
resample weighs them; a row is never compared with itself, however often it was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zhuji.core.contracts import Columns, Metric
from zhuji.core.log import in_language
from zhuji.metrics.weighted import Floats, WeightedMetric, ratio

SAMPLE = 2000
NEIGHBOURS = 10
FEWEST = 8
"""Of fewer rows the spread and the rank say nothing."""
LEAST_SPREAD, LEAST_RANK = 0.25, 2.0
"""Below, embeddings have collapsed: to a point (the cosine of two rows is above 0.94 on average), or to a line."""


def unit(vectors: np.ndarray) -> Floats:
    """Rows of length 1; a zero row stays."""
    wide = vectors.astype(np.float64)
    return ratio(wide, np.linalg.norm(wide, axis=1, keepdims=True), 0.0)


def _alignment(evidence: Columns, weights: Floats) -> Floats:
    apart = ((unit(evidence["first"]) - unit(evidence["second"])) ** 2).sum(1)
    return ratio(weights @ apart, weights.sum(1))


def _uniformity(evidence: Columns, weights: Floats) -> Floats:
    near, weights = unit(evidence["first"][:SAMPLE]), weights[:, :SAMPLE]
    kernel = np.exp(-2 * (2 - 2 * near @ near.T).clip(0))
    np.fill_diagonal(kernel, 0.0)
    pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
    mean = ratio(((weights @ kernel) * weights).sum(1), pairs)
    return np.log(np.where(mean > 0, mean, np.nan))


def _both(evidence: Columns, weights: Floats) -> Floats:
    return _alignment(evidence, weights) + _uniformity(evidence, weights)


def _spread(evidence: Columns, weights: Floats) -> Floats:
    middle = ratio(weights @ unit(evidence["first"]), weights.sum(1, keepdims=True))
    spread = np.sqrt((1 - (middle**2).sum(1)).clip(0))
    return np.where(weights.sum(1) < FEWEST, np.nan, spread)


def _rank(evidence: Columns, weights: Floats) -> Floats:
    """An eigenvalue problem for each resample would take longer than the evaluation, so of several at once it has no value."""
    vectors = unit(evidence["first"][:SAMPLE])
    if len(weights) > 1 or len(vectors) < FEWEST:
        return np.full(len(weights), np.nan)
    lengths = np.linalg.svd(vectors * np.sqrt(weights[0, :SAMPLE, None]), compute_uv=False)
    share = lengths / lengths.sum() if lengths.any() else lengths
    return np.exp([-(share * np.log(np.where(share > 0, share, 1.0))).sum()])


def _found(evidence: Columns, weights: Floats) -> Floats:
    near, other = unit(evidence["first"][:SAMPLE]), unit(evidence["second"][:SAMPLE])
    likeness, weights = near @ other.T, weights[:, :SAMPLE]
    # What rounding makes of equal rows is a tie, and a tie is found.
    hit = np.diagonal(likeness) >= likeness.max(1, initial=-1.0) - 1e-9
    return ratio(weights @ hit, weights.sum(1))


def first_of_a_kind(evidence: Columns) -> Floats:
    """`(N,)`: the rank of each row's nearest row of its class among all others, counted from 1; NaN where it has none, or no class."""
    vectors, group = unit(evidence["first"][:SAMPLE]), np.asarray(evidence["group"][:SAMPLE])
    likeness = vectors @ vectors.T
    same = (group[:, None] == group[None, :]) & (group >= 0)[:, None]
    np.fill_diagonal(same, False)
    np.fill_diagonal(likeness, -np.inf)
    best = np.where(same, likeness, -np.inf).max(1, initial=-np.inf)
    ahead = (~same & (likeness > best[:, None])).sum(1)
    return np.where(same.any(1), ahead + 1.0, np.nan)


def _over_kinds(evidence: Columns, weights: Floats, worth: Floats) -> Floats:
    known = np.isfinite(worth)
    chosen = weights[:, :SAMPLE] * known
    return ratio(chosen @ np.where(known, worth, 0.0), chosen.sum(1))


def _recall(evidence: Columns, weights: Floats) -> Floats:
    rank = first_of_a_kind(evidence)
    return _over_kinds(evidence, weights, np.where(np.isnan(rank), np.nan, rank == 1))


def _reciprocal(evidence: Columns, weights: Floats) -> Floats:
    return _over_kinds(evidence, weights, 1 / first_of_a_kind(evidence))


def neighbours(vectors: Floats, most: int = NEIGHBOURS) -> np.ndarray:
    """`(N, K)`: of each row the K nearest others by their cosine, in no order; K is `most`, or all others where there are fewer."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    near = min(most, len(vectors) - 1)
    return (
        np.argpartition(-likeness, near, axis=1)[:, :near]
        if near < len(vectors) - 1
        else np.argsort(-likeness, axis=1)[:, :near]
    )


def _taught(evidence: Columns) -> tuple[Floats, Floats, np.ndarray]:
    """Own and taught vectors of the rows that have both, and which rows these are, `(N,)` bool."""
    own, taught = unit(evidence["first"][:SAMPLE]), unit(evidence["taught"][:SAMPLE])
    known = np.asarray(taught.any(1))
    return own[known], taught[known], known


def _spread_out(known: np.ndarray, worth: Floats | float) -> Floats:
    whole = np.full(len(known), np.nan)
    whole[known] = worth
    return whole


def _kept(evidence: Columns, weights: Floats) -> Floats:
    own, taught, known = _taught(evidence)
    if len(own) < 2:
        return np.full(len(weights), np.nan)
    mine, theirs = neighbours(own), neighbours(taught)
    worth = (mine[:, :, None] == theirs[:, None, :]).any(2).mean(1)
    return _over_kinds(evidence, weights, _spread_out(known, worth))


def _likeness(evidence: Columns, weights: Floats) -> Floats:
    own, taught, known = _taught(evidence)
    if len(own) < 3:
        return np.full(len(weights), np.nan)
    others = ~np.eye(len(own), dtype=bool)
    mine, theirs = ((each @ each.T)[others].reshape(len(own), -1) for each in (own, taught))
    mine, theirs = (unit(each - each.mean(1, keepdims=True)) for each in (mine, theirs))
    return _over_kinds(evidence, weights, _spread_out(known, (mine * theirs).sum(1)))


alignment = WeightedMetric(("first", "second"), False, _alignment)
"""Mean squared distance of a row's two views (Wang & Isola 2020, section 4.1)."""
uniformity = WeightedMetric(("first",), False, _uniformity)
"""Log of the mean of exp(-2 d^2) over pairs of rows (Wang & Isola 2020, section 4.1): 0 when all are one point, about -4 at best."""
align_and_spread = WeightedMetric(("first", "second"), False, _both)
"""Alignment plus uniformity: what the contrastive loss tends to with many negatives (Wang & Isola 2020, theorem 1)."""
spread = WeightedMetric(("first",), True, _spread)
"""Deviation of the unit vectors from their mean: 0 when all are one point, 1 when they point everywhere."""
effective_rank = WeightedMetric(("first",), True, _rank)
"""exp of the entropy of the singular values' shares (Roy & Vetterli 2007): how many directions are in use. Not centred, so that one
point has rank 1."""
view_recall = WeightedMetric(("first", "second"), True, _found)
"""Share of rows whose nearest second view is their own."""
class_recall = WeightedMetric(("first", "group"), True, _recall)
"""Share of rows whose nearest other row is of their class (recall@1)."""
class_mrr = WeightedMetric(("first", "group"), True, _reciprocal)
"""Mean of 1 / rank of the nearest row of the same class."""

neighbours_kept = WeightedMetric(("first", "taught"), True, _kept)
"""Share of a row's ten nearest by its taught vector that are among its ten nearest by its own, mean over rows."""
likeness_kept = WeightedMetric(("first", "taught"), True, _likeness)
"""Pearson's correlation of a row's cosines with all others, by own and by taught vectors, mean over rows."""

WATCHED: dict[str, Metric] = {"uniformity": uniformity, "spread": spread, "effective_rank": effective_rank}
"""What shows a collapse."""
VIEWED: dict[str, Metric] = {
    "align_and_spread": align_and_spread, "alignment": alignment, **WATCHED, "view_recall": view_recall,
}  # fmt: skip
"""Of two views of each row. Alignment plus uniformity first: unlike a loss it does not depend on how rows are cut into batches."""


def collapse(scores: Mapping[str, float]) -> list[str]:
    """What a person should hear when the embeddings of a validation fall to a point or a line."""
    found: list[str] = []
    spreads, rank = scores.get("spread", np.nan), scores.get("effective_rank", np.nan)
    if spreads < LEAST_SPREAD:
        found.append(in_language(
            f"the embeddings collapse: their spread is {spreads:.3f}, below {LEAST_SPREAD}",
            f"嵌入正在坍缩：离散程度为 {spreads:.3f}，低于 {LEAST_SPREAD}",
        ))  # fmt: skip
    if rank < LEAST_RANK:
        found.append(in_language(
            f"the embeddings collapse: their effective rank is {rank:.2f}, below {LEAST_RANK:g}",
            f"嵌入正在坍缩：有效秩为 {rank:.2f}，低于 {LEAST_RANK:g}",
        ))  # fmt: skip
    return found
