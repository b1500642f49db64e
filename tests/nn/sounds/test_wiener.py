from __future__ import annotations

import math

import numpy as np
import torch

from zhuji.nn.sounds.masks import si_sdr
from zhuji.nn.sounds.wiener import gains_of, wiener


def bursts() -> tuple[torch.Tensor, torch.Tensor]:
    """A tone that comes and goes, and noise without end."""
    time = torch.arange(16_000) / 8_000
    tone = 0.3 * torch.sin(2 * np.pi * 440 * time) * ((time * 4).long() % 2)
    return tone[None], 0.05 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))


def test_steady_noise_is_taken_away_and_what_was_said_stays() -> None:
    tone, noise = bursts()
    found = wiener(tone + noise, 256, 64)
    assert found.shape == tone.shape
    assert si_sdr(found, tone).item() > si_sdr(tone + noise, tone).item() + 5
    quiet = tone[0] == 0
    assert found[0, quiet].square().mean() < 0.05 * noise[0, quiet].square().mean()


def test_a_sound_without_noise_passes() -> None:
    tone, _ = bursts()
    assert si_sdr(wiener(tone, 256, 64), tone).item() > 30


def test_gains_lie_between_a_little_and_everything() -> None:
    power = torch.rand(2, 30, 9, generator=torch.Generator().manual_seed(0)).exponential_()
    gains = gains_of(power)
    assert gains.shape == power.shape and (gains >= 10 ** (-25 / 20) - 1e-6).all() and (gains <= 1).all()
    assert wiener(torch.zeros(1, 500), 64, 16).abs().max() == 0


def test_the_first_frames_by_hand() -> None:
    """Two equal frames of one frequency, nothing but noise: the a-priori ratio of the first is 0, so its gain is the least there is."""
    gains = gains_of(torch.full((1, 2, 1), 4.0))
    assert gains.flatten().tolist() == [torch.tensor(10 ** (-25 / 20)).item()] * 2


def test_frame_by_frame_as_both_papers_have_it() -> None:
    """A loop over numbers: Ephraim & Malah 1984, equation 51; the noise as Gerkmann & Hendriks 2012."""
    power = 0.5 + 9 * torch.rand(1, 12, 1, generator=torch.Generator().manual_seed(4)).double() ** 3
    # In the end it is loud for so long that it must be noise that has grown.
    power = torch.cat((power, torch.full((1, 78, 1), 1e3)), 1)
    noise, likely, before = sum(sorted(power.flatten().tolist())[:9]) / 9, 0.5, 0.0
    expected, ratio = list[float](), 10**1.5
    for now in power.flatten().tolist():
        present = 1 / (1 + (1 + ratio) * math.exp(-now / noise * ratio / (1 + ratio)))
        likely = 0.9 * likely + 0.1 * present
        present = min(present, 0.99) if likely > 0.99 else present
        noise = 0.8 * noise + 0.2 * (present * noise + (1 - present) * now)
        prior = 0.98 * before / noise + 0.02 * max(now / noise - 1, 0)
        expected.append(max(prior / (1 + prior), 10**-1.25))
        before = expected[-1] ** 2 * now
    np.testing.assert_allclose(gains_of(power).flatten().numpy(), expected, rtol=1e-5)
    assert len({round(gain, 3) for gain in expected}) > 5
