"""How well a ranking finds what it should: recall, reciprocal rank and discounted gain, and agreement with graded pairs.

Evidence: `relevance (N, K)`, float64: how relevant the K best answers to each of N queries are, best answer first (0: not at all; a
query with fewer answers is filled with 0); `ideal (N, K)`: the K largest relevances that there are for the query, largest first;
`relevant (N,)`: how many answers there are with a relevance above 0. A query without any has no score and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns
from zhuji.metrics.regression import pearson, spearman
from zhuji.metrics.weighted import Floats, WeightedMetric, ratio

Bools = NDArray[np.bool_]
RANKING = ("relevance", "ideal", "relevant")


def _mean(of: Callable[[Columns], Floats]) -> WeightedMetric:
    """The mean over queries of a number `(N,)` that each query has by itself."""

    def compute(evidence: Columns, weights: Floats) -> Floats:
        asked = evidence["relevant"] > 0
        return ratio(weights[:, asked] @ of(evidence)[asked], weights[:, asked].sum(1))

    return WeightedMetric(RANKING, True, compute)


def recall_at(k: int) -> WeightedMetric:
    """Share of a query's relevant answers that stand among the first k (Manning et al. 2008, section 8.3)."""
    return _mean(lambda evidence: (evidence["relevance"][:, :k] > 0).sum(1) / np.maximum(evidence["relevant"], 1))


def precision_at(k: int) -> WeightedMetric:
    """Share of the first k places that hold a relevant answer (Manning et al. 2008, section 8.4)."""

    def share(evidence: Columns) -> Floats:
        first: Bools = evidence["relevance"][:, :k] > 0
        return first.sum(1, dtype=np.float64) / k

    return _mean(share)


def hit_at(k: int) -> WeightedMetric:
    """Whether any relevant answer stands among the first k."""

    def found(evidence: Columns) -> Floats:
        first: Bools = evidence["relevance"][:, :k] > 0
        return first.max(1, initial=False).astype(np.float64)

    return _mean(found)


def _reciprocal(evidence: Columns) -> Floats:
    right: Bools = evidence["relevance"] > 0
    return right.any(1) / (np.argmax(right, axis=1) + 1.0)


reciprocal_rank = _mean(_reciprocal)
"""1 over the place of the first relevant answer, 0 if there is none in the ranking (Voorhees 1999)."""


def ndcg_at(k: int) -> WeightedMetric:
    """Discounted gain of the first k over that of the best order, with linear gains (Järvelin & Kekäläinen 2002)."""

    def gain(evidence: Columns) -> Floats:
        return ratio(_discounted(evidence["relevance"][:, :k]), _discounted(evidence["ideal"][:, :k]), 0.0)

    return _mean(gain)


def _discounted(gains: Floats) -> Floats:
    return gains @ (1 / np.log2(np.arange(2.0, gains.shape[1] + 2)))


def retrieval_metrics(k: int) -> Mapping[str, WeightedMetric]:
    """By name, for rankings of length k."""
    return {
        f"recall@{k}": recall_at(k), "hit@1": hit_at(1), f"hit@{k}": hit_at(k), f"precision@{k}": precision_at(k),
        "mrr": reciprocal_rank, f"ndcg@{k}": ndcg_at(k),
    }  # fmt: skip


def pair_metrics() -> Mapping[str, WeightedMetric]:
    """For graded pairs: `target (N,)` is the grade, `prediction (N,)` the similarity."""
    return {"spearman": spearman, "pearson": pearson}
