from itertools import combinations

import numpy as np
import pytest

from zhuji.metrics import embeddings

RANDOM = np.random.default_rng(0)
FIRST = RANDOM.normal(size=(30, 5)) + 0.5
SECOND = FIRST + RANDOM.normal(size=(30, 5))
GROUP = np.array([0, 1, 2] * 9 + [3, -1, -1])
EVIDENCE = {"first": FIRST.astype(np.float32), "second": SECOND.astype(np.float32), "group": GROUP}
METRICS = {
    name: getattr(embeddings, name)
    for name in ("alignment", "uniformity", "align_and_spread", "spread", "view_recall", "class_recall", "class_mrr")
}


def lengthened(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


A, B = lengthened(FIRST), lengthened(SECOND)


def test_alignment_and_uniformity_by_their_formulas():
    align = np.mean([np.sum((a - b) ** 2) for a, b in zip(A, B, strict=True)])
    spread = np.log(np.mean([np.exp(-2 * np.sum((A[i] - A[j]) ** 2)) for i, j in combinations(range(30), 2)]))
    assert embeddings.alignment(EVIDENCE) == pytest.approx(align, rel=1e-5)
    assert embeddings.uniformity(EVIDENCE) == pytest.approx(spread, rel=1e-5)
    assert embeddings.align_and_spread(EVIDENCE) == pytest.approx(align + spread, rel=1e-5)


def test_rank_and_spread_by_their_formulas():
    share = np.linalg.svd(A, compute_uv=False)
    share = share / share.sum()
    assert embeddings.effective_rank(EVIDENCE) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-5)
    assert embeddings.spread(EVIDENCE) == pytest.approx(np.sqrt(((A - A.mean(0)) ** 2).sum(1).mean()), rel=1e-5)


def test_rank_counts_directions():
    for directions in (1, 3, 5):
        vectors = np.eye(6)[np.arange(60) % directions]
        assert embeddings.effective_rank({"first": vectors}) == pytest.approx(directions)


def test_recall_and_reciprocal_rank_by_brute_force():
    found, ranks = [], []
    for i in range(30):
        if GROUP[i] < 0 or (GROUP[i] == GROUP).sum() < 2:
            continue
        order = sorted((j for j in range(30) if j != i), key=lambda j: -A[i] @ A[j])
        rank = next(place for place, j in enumerate(order, 1) if GROUP[j] == GROUP[i])
        found.append(rank == 1)
        ranks.append(1 / rank)
    assert embeddings.class_recall(EVIDENCE) == pytest.approx(np.mean(found))
    assert embeddings.class_mrr(EVIDENCE) == pytest.approx(np.mean(ranks))
    views = [int((B @ A[i]).argmax()) == i for i in range(30)]
    assert embeddings.view_recall(EVIDENCE) == pytest.approx(np.mean(views))


@pytest.mark.parametrize("name", METRICS)
def test_whole_weights_of_one_are_the_score_and_zeros_leave_rows_out(name):
    metric, kept = METRICS[name], np.arange(30) < 20
    if name in ("view_recall", "class_recall", "class_mrr"):
        kept[:] = True  # rows that were not drawn stay as candidates
    part = {column: values[kept] for column, values in EVIDENCE.items()}
    assert metric.resampled(EVIDENCE, kept[None].astype(float))[0] == pytest.approx(metric(part))


def test_of_resamples_the_rank_has_no_value():
    assert np.isnan(embeddings.effective_rank.resampled(EVIDENCE, np.ones((2, 30)))).all()


def test_a_point_is_collapsed_and_a_line_is_and_a_sphere_is_not():
    def warned(vectors):
        evidence = {"first": vectors}
        return embeddings.collapse({name: metric(evidence) for name, metric in embeddings.WATCHED.items()})

    point = np.ones((50, 8)) + 1e-3 * RANDOM.normal(size=(50, 8))
    narrow = np.ones((50, 8)) + np.sqrt(8) * 0.05 * RANDOM.normal(size=(50, 8))
    line = np.outer(np.where(np.arange(50) % 2, 1.0, -1.0), np.ones(8))
    assert len(warned(point)) == 2 and "collapse" in warned(point)[0]
    assert 0.1 < embeddings.spread({"first": narrow}) < 0.25 and "spread" in warned(narrow)[0]
    assert len(warned(line)) == 1 and "rank" in warned(line)[0]
    assert warned(RANDOM.normal(size=(50, 8))) == []


def test_few_rows_or_none_warn_nobody():
    few = {"first": np.ones((3, 4))}
    assert embeddings.collapse({name: metric(few) for name, metric in embeddings.WATCHED.items()}) == []
    assert embeddings.collapse({}) == []


def test_zero_vectors_are_no_error():
    assert embeddings.uniformity({"first": np.zeros((9, 3))}) == pytest.approx(-4.0)
    assert embeddings.effective_rank({"first": np.zeros((9, 3))}) == 1


def test_neighbours_and_likeness_that_are_kept_against_a_loop():
    """Rows 3 and 7 have no taught vector: they are neither counted nor anyone's neighbour."""
    taught = RANDOM.normal(size=(30, 4))
    taught[[3, 7]] = 0
    evidence, known = {"first": FIRST, "taught": taught}, [i for i in range(30) if i not in (3, 7)]
    shares, likeness = [], []
    for i in known:
        others = [j for j in known if j != i]
        cosines = [
            [float(unit[i] @ unit[j]) for j in others]
            for unit in (lengthened(FIRST), taught / np.linalg.norm(taught + 1e-99, axis=1, keepdims=True).clip(1e-9))
        ]
        near = [{others[n] for n in sorted(range(27), key=lambda n, each=each: -each[n])[:10]} for each in cosines]
        shares.append(len(near[0] & near[1]) / 10)
        likeness.append(np.corrcoef(*cosines)[0, 1])
    assert embeddings.neighbours_kept(evidence) == pytest.approx(np.mean(shares))
    assert embeddings.likeness_kept(evidence) == pytest.approx(np.mean(likeness))
    weights = RANDOM.integers(0, 3, size=(2, 30)).astype(float)
    found = embeddings.neighbours_kept.resampled(evidence, weights)
    assert found == pytest.approx((weights[:, known] @ shares) / weights[:, known].sum(1))


def test_few_rows_have_fewer_neighbours_and_one_has_none():
    few = {"first": FIRST[:4], "taught": SECOND[:4]}
    assert embeddings.neighbours_kept(few) == 1, "all three others are the nearest three"
    one = {"first": FIRST[:1], "taught": SECOND[:1]}
    assert np.isnan(embeddings.neighbours_kept(one)) and np.isnan(embeddings.likeness_kept(one))
