import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import ndcg_score

from zhuji.metrics.intervals import bootstrap
from zhuji.metrics.retrieval import (
    hit_at,
    ndcg_at,
    pair_metrics,
    precision_at,
    recall_at,
    reciprocal_rank,
    retrieval_metrics,
)

K = 6


def rankings(queries=40, answers=15, grades=(0, 0, 0, 1, 2, 3), seed=0):
    """Graded relevance of every answer, a random order of them, and the evidence of the first K places."""
    rng = np.random.default_rng(seed)
    relevance = rng.choice(grades, (queries, answers)).astype(float)
    relevance[0] = 0  # a query that nothing answers
    scores = rng.normal(size=(queries, answers))
    order = np.argsort(-scores, axis=1)
    evidence = {
        "relevance": np.take_along_axis(relevance, order, 1)[:, :K],
        "ideal": -np.sort(-relevance, axis=1)[:, :K],
        "relevant": (relevance > 0).sum(1),
    }
    return relevance, scores, order, evidence


def by_hand(one):
    """The mean of `one(relevance by place, relevance of all)` over the queries that something answers, by plain loops."""
    relevance, _, order, _ = rankings()
    values = [one([row[i] for i in places], list(row)) for row, places in zip(relevance, order, strict=True) if any(row > 0)]
    return sum(values) / len(values)


@pytest.mark.parametrize("k", [1, 3, K])
def test_recall_precision_and_hits_are_what_counting_gives(k):
    evidence = rankings()[3]

    def found(places):
        return sum(value > 0 for value in places[:k])

    assert recall_at(k)(evidence) == pytest.approx(by_hand(lambda places, row: found(places) / sum(v > 0 for v in row)))
    assert precision_at(k)(evidence) == pytest.approx(by_hand(lambda places, row: found(places) / k))
    assert hit_at(k)(evidence) == pytest.approx(by_hand(lambda places, row: float(found(places) > 0)))


def test_reciprocal_rank_is_what_counting_gives():
    def first(places, row):
        return next((1 / place for place, value in enumerate(places[:K], 1) if value > 0), 0.0)

    assert reciprocal_rank(rankings()[3]) == pytest.approx(by_hand(first))


@pytest.mark.parametrize("k", [1, 3, K])
def test_ndcg_is_that_of_scikit_learn(k):
    relevance, scores, _, evidence = rankings()
    assert ndcg_at(k)(evidence) == pytest.approx(ndcg_score(relevance[1:], scores[1:], k=k))


def test_pairs_are_scored_as_by_scipy():
    rng = np.random.default_rng(0)
    grade, similarity = rng.integers(0, 5, 60).astype(float), rng.normal(size=60)
    evidence = {"target": grade, "prediction": similarity}
    assert pair_metrics()["spearman"](evidence) == pytest.approx(stats.spearmanr(grade, similarity).statistic)
    assert pair_metrics()["pearson"](evidence) == pytest.approx(stats.pearsonr(grade, similarity).statistic)


def test_a_perfect_ranking_has_ones_and_an_empty_one_none():
    perfect = {"relevance": np.array([[2.0, 1.0, 0.0]]), "ideal": np.array([[2.0, 1.0, 0.0]]), "relevant": np.array([2])}
    scores = {name: metric(perfect) for name, metric in retrieval_metrics(3).items()}
    assert scores == {"recall@3": 1, "hit@1": 1, "hit@3": 1, "precision@3": pytest.approx(2 / 3), "mrr": 1, "ndcg@3": 1}
    nothing = {**perfect, "relevant": np.array([0])}
    assert all(math.isnan(metric(nothing)) for metric in retrieval_metrics(3).values())


def test_resampling_gives_what_scoring_the_drawn_queries_gives():
    evidence = rankings()[3]
    weights = np.array([np.bincount(np.random.default_rng(i).integers(0, 40, 40), minlength=40) for i in range(4)], dtype=float)
    for metric in retrieval_metrics(K).values():
        direct = [metric({n: np.repeat(c, w.astype(int), 0) for n, c in evidence.items()}) for w in weights]
        assert metric.resampled(evidence, weights) == pytest.approx(direct)
    interval = bootstrap(recall_at(K), evidence, 200)
    assert interval.low < interval.value < interval.high
