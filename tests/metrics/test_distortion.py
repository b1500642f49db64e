from __future__ import annotations

import math

import numpy as np
import pytest

from zhuji.metrics.distortion import mel_cepstral, warped

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (7, 9), (12, 4)])
def test_the_way_is_as_cheap_as_librosas(shape: tuple[int, int]) -> None:
    librosa = pytest.importorskip("librosa")
    cost = RANDOM.random(shape)
    path = warped(cost)
    total, _ = librosa.sequence.dtw(C=cost)
    assert cost[path[:, 0], path[:, 1]].sum() == pytest.approx(total[-1, -1])
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
