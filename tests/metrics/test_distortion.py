from __future__ import annotations

import math

import numpy as np
import pytest

from zhuji.metrics.distortion import mel_cepstral, warped

RANDOM = np.random.default_rng(0)


def cheapest(cost: np.ndarray) -> float:
    """By trying every way."""
    if cost.shape == (1, 1):
        return float(cost[0, 0])
    ways = [cost[1:]] if cost.shape[0] > 1 else []
    ways += [cost[:, 1:]] if cost.shape[1] > 1 else []
    ways += [cost[1:, 1:]] if min(cost.shape) > 1 else []
    return float(cost[0, 0]) + min(map(cheapest, ways))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (5, 6), (6, 3)])
def test_no_way_is_cheaper(shape: tuple[int, int]) -> None:
    cost = RANDOM.random(shape)
    path = warped(cost)
    assert cost[path[:, 0], path[:, 1]].sum() == pytest.approx(cheapest(cost))
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [shape[0] - 1, shape[1] - 1]
    assert {tuple(step) for step in np.diff(path, axis=0).tolist()} <= {(0, 1), (1, 0), (1, 1)}


def test_it_is_half_the_decibels_between_two_spectra() -> None:
    """Of all coefficients, by Parseval: a spectrum whose bands are by turns 6 dB louder and softer than another."""
    from zhuji.nn.sounds.mel import cosines

    logs = np.array([1.0, -1.0] * 8) * math.log(10 ** (6 / 10))
    told = (logs @ cosines(16, 16).numpy())[None]
    assert mel_cepstral(told, np.zeros_like(told), 16) == pytest.approx(3.0, rel=1e-5)


def test_pace_and_loudness_do_not_count() -> None:
    sound = RANDOM.standard_normal((9, 5))
    assert mel_cepstral(np.repeat(sound, 2, 0), sound, 40) == pytest.approx(0.0, abs=1e-6)
    assert mel_cepstral(sound, RANDOM.standard_normal((9, 5)), 40) > 0.1
