import numpy as np
import pytest

from zhuji.metrics.regression import mae, pearson, r2, rmse, spearman


def evidence(target, prediction):
    return {"target": np.array(target, float), "prediction": np.array(prediction, float)}


def test_by_hand():
    e = evidence([0, 0, 3, 3], [0, 2, 3, 1])
    assert rmse(e) == pytest.approx(np.sqrt(2))
    assert mae(e) == 1
    assert r2(e) == pytest.approx(1 - 8 / 9)


def test_ties_share_their_rank():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
    assert spearman(evidence([1, 2, 2, 9], [1, 2, 3, 4])) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@pytest.mark.parametrize("metric", [pearson, spearman])
def test_a_constant_has_no_correlation(metric):
    assert np.isnan(metric(evidence([0.1] * 7, range(7))))
    assert np.isnan(metric(evidence(range(7), [1e9 + 0.1] * 7)))


def test_one_row_has_no_r2():
    assert np.isnan(r2(evidence([1], [2])))
