import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from zhuji.metrics import sliced

CHANCE = np.random.default_rng(0)


def evidence(rows: int = 9, lines: int = 4) -> dict[str, np.ndarray]:
    return {"real": CHANCE.normal(size=(rows, lines)), "made": CHANCE.normal(1, 2, (rows, lines)).round(1)}


def test_it_is_scipys_distance_on_every_line() -> None:
    found = evidence()
    lines = [wasserstein_distance(found["real"][:, i], found["made"][:, i]) for i in range(4)]
    assert sliced.distance(found) == pytest.approx(np.mean(lines), rel=1e-12)


def test_weights_are_how_often_a_row_counts() -> None:
    found, weights = evidence(), CHANCE.integers(0, 4, (3, 9)).astype(float)
    values = sliced.distance.resampled(found, weights)
    for times, value in zip(weights.astype(int), values, strict=True):
        again = {name: np.repeat(column, times, 0) for name, column in found.items()}
        assert value == pytest.approx(sliced.distance(again), rel=1e-12)


def test_equal_rows_are_at_no_distance_in_whatever_order() -> None:
    real = CHANCE.normal(size=(6, 3))
    assert sliced.distance({"real": real, "made": real[::-1]}) == pytest.approx(0, abs=1e-12)


def test_a_shift_is_found_as_far_as_it_goes_along_the_lines() -> None:
    values = torch.randn(50, 3, 4, 2, generator=torch.Generator().manual_seed(1))
    real, made = sliced.laid_on_lines(values), sliced.laid_on_lines(values + 0.5)
    assert real.shape == (50, sliced.LINES)
    # Of a set that is moved, every row moves by the same on a line.
    assert sliced.distance({"real": real, "made": made}) == pytest.approx(np.abs((made - real)[0]).mean(), rel=1e-5)


def test_lines_are_the_same_every_time_and_of_length_one() -> None:
    whole = sliced.laid_on_lines(torch.eye(24))
    assert np.allclose((whole**2).sum(0), 1, atol=1e-5)
    sliced._lines.cache_clear()
    assert np.array_equal(whole, sliced.laid_on_lines(torch.eye(24)))
