import numpy as np
import pytest

from zhuji.metrics import units

EVIDENCE = {
    "loss": np.array([3.0, 0.0, 5.0]), "terms": np.array([2.0, 0.0, 2.0]), "id_loss": np.array([1.0, 0.0, 2.0]),
    "named": np.array([1.0, 0.0, 2.0]), "right": np.array([1.0, 0.0, 1.0]),
}  # fmt: skip


def test_scores_are_ratios_of_sums_and_not_means_of_ratios():
    assert units.loss(EVIDENCE) == 2.0
    assert units.perplexity(EVIDENCE) == pytest.approx(np.e)
    assert units.bits(EVIDENCE) == pytest.approx(np.log2(np.e))
    assert units.accuracy(EVIDENCE) == pytest.approx(2 / 3)


def test_weights_are_repetitions():
    weights = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    repeated = {name: np.repeat(column, [2, 1, 0]) for name, column in EVIDENCE.items()}
    for metric in (units.loss, units.perplexity, units.bits, units.accuracy):
        assert metric.resampled(EVIDENCE, weights)[0] == pytest.approx(metric(repeated))


def test_without_ids_there_is_no_perplexity():
    none = {name: np.zeros(3) for name in EVIDENCE}
    assert (
        np.isnan(units.perplexity(none))
        and np.isnan(units.bits(none))
        and np.isnan(units.accuracy(none))
        and np.isnan(units.loss(none))
    )


def test_directions():
    assert (
        not units.loss.higher_is_better
        and not units.bits.higher_is_better
        and not units.perplexity.higher_is_better
        and units.accuracy.higher_is_better
    )
