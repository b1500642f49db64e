"""Scores of made rows, against scipy and against loops that follow the papers' definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import mannwhitneyu

from zhuji.metrics.generated import Gaussian, frechet, frechet_interval, mean_of, nearer, nearest, neighbourhoods, suspects
from zhuji.metrics.intervals import bootstrap


def rows(number: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    mixed = chance.normal(size=(number, width)) @ chance.normal(size=(width, width))
    return mixed / np.sqrt(width) + shift


def frechet_by_root(a: np.ndarray, b: np.ndarray) -> float:
    """Heusel et al. 2017, equation 6, word for word."""
    one, two = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.asarray(sqrtm(one @ two))
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(one + two - 2 * np.real(root)))


@pytest.mark.parametrize(("first", "second", "width"), [(200, 300, 8), (60, 50, 40), (400, 90, 20)])
def test_frechet_distance_is_that_of_the_matrix_root(first: int, second: int, width: int) -> None:
    a, b = rows(first, width, 1), rows(second, width, 2, 0.3)
    found = frechet(Gaussian.of(a), Gaussian.of(b))
    # The root of a product loses about half of the digits.
    assert found == pytest.approx(frechet_by_root(a, b), rel=1e-6)


def test_frechet_distance_of_known_gaussians() -> None:
    # One feature: (difference of means)^2 + (difference of deviations)^2.
    chance = np.random.default_rng(0).normal(size=(50, 1))
    unit = (chance - chance.mean()) / chance.std(ddof=1)
    assert frechet(Gaussian.of(unit), Gaussian.of(3 * unit + 5)) == pytest.approx(25 + 4)


def test_frechet_distance_with_fewer_rows_than_features() -> None:
    """The covariance has no inverse; the distance to itself is 0, not a rounding error below it."""
    few = rows(6, 30, 3)
    assert frechet(Gaussian.of(few), Gaussian.of(few[::-1])) == pytest.approx(0, abs=1e-12)
    eigen = frechet(Gaussian.of(few), Gaussian.of(rows(9, 30, 4)))
    assert eigen == pytest.approx(frechet_by_root(few, rows(9, 30, 4)), rel=1e-4)
    still = np.ones((4, 3))
    assert frechet(Gaussian.of(still), Gaussian.of(still + 2)) == pytest.approx(12)


def test_the_interval_of_a_distance_is_as_wide_as_it_varies() -> None:
    real = Gaussian.of(rows(4000, 4, 1))
    chance = np.random.default_rng(11)
    many = [rows(4000, 4, 2, 0.5)[chance.choice(4000, 200)] for _ in range(60)]
    spread = np.std([frechet(real, Gaussian.of(part)) for part in many])
    found = frechet_interval(real, many[0], 200)
    assert found.value == frechet(real, Gaussian.of(many[0]))
    # The deviation of 60 numbers is known to about a tenth, and one sample's own resamples vary as much again.
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.35)
    assert frechet_interval(real, many[0], 200) == found and np.isnan(frechet_interval(real, many[0], 0).low)


def by_loops(real: np.ndarray, made: np.ndarray, k: int) -> dict[str, np.ndarray]:
    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((a - b) ** 2).sum()))

    def reach(of: np.ndarray) -> list[float]:
        return [sorted(distance(row, other) for j, other in enumerate(of) if j != i)[k - 1] for i, row in enumerate(of)]

    near_real, near_made = reach(real), reach(made)
    within = [[distance(r, m) <= near_real[i] for m in made] for i, r in enumerate(real)]
    within_made = [[distance(r, m) <= near_made[j] for j, m in enumerate(made)] for r in real]
    return {
        "precise": np.array([any(row[j] for row in within) for j in range(len(made))]),
        "dense": np.array([sum(row[j] for row in within) / k for j in range(len(made))]),
        "recalled": np.array([any(row) for row in within_made]),
        "covered": np.array([any(row) for row in within]),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbourhoods_are_those_of_the_definition(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = rows(40, 4, 5), rows(30, 4, 6, 1.2)
    expected = by_loops(real, made, k)
    assert 0 < expected["precise"].mean() < 1 and 0 < expected["covered"].mean() < 1, "the case must tell"
    for cells in (1 << 22, 70):  # whole, and a few rows at a time
        monkeypatch.setattr("zhuji.metrics.generated._CELLS", cells)
        found = neighbourhoods(real, made, k)
        for name, column in expected.items():
            np.testing.assert_allclose(found[name], column, err_msg=name)


def test_what_precision_and_recall_tell_apart() -> None:
    chance = np.random.default_rng(7)
    real = np.concatenate([chance.normal(0, 1, (100, 2)), chance.normal(20, 1, (100, 2))])
    one_mode = neighbourhoods(real, chance.normal(0, 1, (200, 2)))
    astray = neighbourhoods(real, np.concatenate([real[:100] + 0.01, chance.normal(-90, 1, (100, 2))]))
    assert one_mode["precise"].mean() > 0.9 and one_mode["recalled"].mean() < 0.6 and one_mode["covered"].mean() < 0.6
    assert astray["precise"].mean() == pytest.approx(0.5, abs=0.05)


def test_the_nearest_row_is_found_and_measured_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(8)
    among = chance.integers(0, 256, (50, 3, 4), dtype=np.uint8)
    asked = chance.integers(0, 256, (9, 3, 4), dtype=np.uint8)
    asked[4] = among[31]
    flat = [a.reshape(len(a), -1).astype(float) for a in (asked, among)]
    distances = np.sqrt(((flat[0][:, None] - flat[1][None]) ** 2).mean(2))
    for strip in (1 << 24, 7 * 12):
        monkeypatch.setattr("zhuji.metrics.generated._STRIP", strip)
        place, distance = nearest(asked, among)
        np.testing.assert_array_equal(place, distances.argmin(1))
        np.testing.assert_allclose(distance, distances.min(1), rtol=1e-12)
    assert (place[4], distance[4]) == (31, 0.0)


def test_nearer_is_the_share_of_pairs() -> None:
    chance = np.random.default_rng(9)
    made, real = np.round(chance.normal(1.0, 1, 80), 1), np.round(chance.normal(1.5, 1, 60), 1)
    assert len({*made, *real}) < 80, "there must be equal ones"
    # U counts the pairs in which the first is the larger.
    expected = mannwhitneyu(real, made).statistic / (len(made) * len(real))
    assert nearer(made, real) == pytest.approx(expected)
    assert (nearer(made - 100, real), nearer(made + 100, real), nearer(real, real)) == (1.0, 0.0, 0.5)


def test_suspects_are_as_many_as_chance_gives() -> None:
    real = np.arange(1, 101) / 100
    assert suspects(real, real).mean() == pytest.approx(0.05)
    assert suspects(np.array([0.0, 0.9]), real).tolist() == [1.0, 0.0]


def test_a_mean_has_an_interval() -> None:
    interval = bootstrap(mean_of("seen"), {"seen": np.array([0.0, 1.0] * 50)}, 200)
    assert interval.value == 0.5 and 0.35 < interval.low < 0.5 < interval.high < 0.65
