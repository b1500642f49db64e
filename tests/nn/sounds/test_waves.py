from __future__ import annotations

import torch

from zhuji.core.units import Units
from zhuji.nn.sounds.spectra import stft
from zhuji.nn.sounds.waves import FLOOR, SpectrumStem, log_power, samples_of, standard


def units() -> Units:
    values = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    return Units(mask, values=values)


def test_samples_stand_one_behind_the_other_and_padding_is_silence() -> None:
    given = units()
    samples = samples_of(given)
    assert given.values is not None
    assert samples.shape == (2, 40) and torch.equal(samples[0], given.values[0].reshape(-1))
    assert not samples[1, 24:].any()


def test_a_unit_sees_the_power_around_its_beginning() -> None:
    samples = samples_of(units())
    found = log_power(samples, 32, 8, 32)
    assert found.shape == (2, 5, 17)
    torch.testing.assert_close(found, (stft(samples, 32, 8, 32)[:, :5].abs().square() + FLOOR).log())


def test_the_stem_is_normalised_and_silent_where_nothing_is() -> None:
    stem = SpectrumStem((32, 8, 32), 3, [1.0] * 17, [2.0] * 17)
    features = stem(units())
    seen = (log_power(samples_of(units()), 32, 8, 32) - 1) / 2
    torch.testing.assert_close(features.states[0], stem.map(seen)[0])
    assert not features.states[1, 3:].any() and {"mean", "deviation"} <= set(stem.state_dict())


def test_a_sound_at_mean_0_and_deviation_1() -> None:
    found = standard(torch.randn(1_000, generator=torch.Generator().manual_seed(0)) * 0.01 + 5)
    assert abs(found.mean()) < 1e-5 and abs(found.std(correction=0) - 1) < 1e-3 and found.dtype == torch.float32
    short = standard(torch.tensor([0.1, 0.3, -0.2]))
    assert abs(short.std(correction=0) - 1) < 1e-5
    assert not standard(torch.full((5,), 0.3)).any()
