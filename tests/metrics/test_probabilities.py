import numpy as np
import pytest

from zhuji.metrics.probabilities import BINS, auroc, average_precision, brier, ece, ece_width, log_loss


def evidence(seed, rows=200, classes=5):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), rows)
    return {"label": rng.integers(0, classes, rows), "prediction": p.argmax(1), "probabilities": p}


def by_loop(groups, confidence, hit):
    total = sum(len(g) for g in groups)
    return sum(abs(sum(hit[i] for i in g) - sum(confidence[i] for i in g)) / total for g in groups)


@pytest.mark.parametrize("seed", range(3))
def test_ece_of_equal_width_is_a_loop_over_bins(seed):
    e = evidence(seed)
    confidence, hit = e["probabilities"].max(1), (e["label"] == e["prediction"]).astype(float)
    groups = [[i for i, c in enumerate(confidence) if m / BINS < c <= (m + 1) / BINS] for m in range(BINS)]
    assert ece_width(e) == pytest.approx(by_loop(groups, confidence, hit), abs=1e-12)


@pytest.mark.parametrize("rows", [1, 14, 15, 16, 200])
def test_ece_of_equal_mass_is_a_loop_over_parts(rows):
    e = evidence(4, rows)
    confidence, hit = e["probabilities"].max(1), (e["label"] == e["prediction"]).astype(float)
    groups = np.array_split(np.argsort(confidence), BINS)
    assert ece(e) == pytest.approx(by_loop(groups, confidence, hit), abs=1e-12)


def test_ece_of_known_miscalibration():
    n = 1000
    p = np.tile([0.8, 0.2], (n, 1))
    e = {"label": (np.arange(n) % 2).astype(np.int64), "prediction": np.zeros(n, np.int64), "probabilities": p}
    assert ece_width(e) == pytest.approx(0.3)
    # The bins of equal mass cut tied confidences by outcome, which can only raise the estimate.
    assert ece(e) >= 0.3 - 1e-9


def test_ece_of_many_labels_takes_every_label():
    p = np.full((100, 3), 0.7)
    label = np.zeros((100, 3), bool)
    label[:40] = True
    assert ece_width({"label": label, "prediction": p > 0.5, "probabilities": p}) == pytest.approx(0.3)


def test_classes_without_rows_do_not_rank():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
    e = {"label": np.array([0, 1, 0]), "probabilities": p}
    assert auroc(e) == 1
    assert average_precision(e) == 1
    assert np.isnan(auroc({"label": np.array([0]), "probabilities": p[:1, :2]}))


def test_unseen_labels():
    p = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    e = {"label": np.array([0, -1]), "prediction": np.array([0, 0]), "probabilities": p}
    assert log_loss(e) == pytest.approx(np.log(2))
    assert brier(e) == pytest.approx(((0.25 + 2 / 16) + (0.25 + 2 / 16 + 1)) / 2)
    assert ece_width(e) == pytest.approx(0.0)
