from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
import torch

from zhuji.nn.sounds.mixing import (
    coloured,
    echoed,
    fitted,
    loudening,
    microphone,
    mixed,
    narrow,
    narrowed,
    played,
    room,
    stretch,
    swelled,
)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [7, 8_000, 160_000])
def test_the_ratio_is_that_asked_for(size: int) -> None:
    """To 1e-4 dB, which is 2e-5 of a ratio: float32 has 6e-8, and noise is what is left of a difference."""
    sound = 0.1 * torch.randn(5, size, generator=drawn(0))
    noise = 3 * torch.randn(5, size, generator=drawn(1))
    wanted = torch.tensor([-5.0, 0.0, 5.0, 12.5, 15.0])
    given = mixed(sound, noise, wanted)
    rest = (given.double() - sound.double()).square().sum(1)
    found = 10 * torch.log10(sound.double().square().sum(1) / rest)
    assert (found - wanted).abs().max() < 1e-4


def test_nothing_is_added_to_silence_nor_of_silence() -> None:
    sound, nothing = torch.ones(1, 8), torch.zeros(1, 8)
    assert torch.equal(mixed(nothing, sound, torch.tensor([0.0])), nothing)
    assert torch.equal(mixed(sound, nothing, torch.tensor([0.0])), sound)


def test_a_stretch_is_a_piece_or_goes_round() -> None:
    recording = torch.arange(10)
    assert stretch(recording, 4, 0.0).tolist() == [0, 1, 2, 3]
    assert stretch(recording, 4, 0.9999).tolist() == [6, 7, 8, 9]
    assert stretch(recording, 12, 0.5).tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6]
    assert stretch(recording, 10, 0.3).tolist() == [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]


@pytest.mark.parametrize("slope", [0.0, 3.0, 6.0])
def test_noise_falls_by_so_many_decibels_an_octave(slope: float) -> None:
    power = torch.fft.rfft(coloured(1 << 16, slope, drawn(3)).double()).abs().square().numpy()
    octaves = [10 * math.log10(power[1 << k : 1 << (k + 1)].mean()) for k in range(8, 15)]
    assert np.polyfit(range(len(octaves)), octaves, 1)[0] == pytest.approx(-slope, abs=0.25)


def test_a_room_is_a_click_and_what_decays() -> None:
    answer = room(0.3, 5.0, 8_000, drawn(0)).double()
    assert answer[0] == 1 and not answer[1:16].any() and answer[16:].all()
    assert 10 * math.log10(float(answer[1:].square().sum())) == pytest.approx(-5.0, abs=1e-4)
    steps = [10 * math.log10(float(part.square().mean())) for part in answer[240:2160].split(240)]
    # 30 ms are a tenth of 60 decibels; a mean of 240 draws is known to a tenth of itself.
    assert np.polyfit(range(8), steps, 1)[0] == pytest.approx(-6.0, abs=0.5)


def test_an_echo_is_a_convolution() -> None:
    sound, answer = torch.randn(300, generator=drawn(0)), torch.randn(90, generator=drawn(1))
    direct = np.convolve(sound.numpy().astype(np.float64), answer.numpy())[:300]
    np.testing.assert_allclose(echoed(sound, answer).numpy(), direct, atol=2e-5)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_played_faster_a_tone_is_higher_and_shorter(factor: float) -> None:
    """A period of either length is whole, so that the spectrum is one line; float32 of a thousand samples."""
    tone = torch.sin(2 * math.pi * 50 * torch.arange(1_000).double() / 1_000).float()
    found = played(tone, factor)
    size = round(1_000 / factor)
    wanted = torch.sin(2 * math.pi * 50 * torch.arange(size).double() / size).float()
    assert len(found) == size
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [7_919, 16_001])
def test_sizes_of_a_large_prime_are_played_as_others(size: int) -> None:
    tone = torch.sin(2 * math.pi * 0.05 * torch.arange(size))
    found = played(tone, 1.3)
    loudest = int(torch.fft.rfft(found * torch.hann_window(len(found))).abs().argmax())
    assert len(found) == round(size / 1.3) and abs(loudest / len(found) / (0.05 * 1.3) - 1) < 0.02


def test_what_played_faster_lies_above_half_the_rate_is_gone() -> None:
    high = torch.sin(2 * math.pi * 450 * torch.arange(1_000).double() / 1_000).float()
    assert played(high, 1.25).abs().max() < 1e-4 < played(high, 1.0).abs().max()
    assert played(torch.ones(1), 4.0).shape == (1,)


@pytest.mark.parametrize("size", [1_000, 1_001])
def test_a_narrowed_sound_has_lost_its_upper_half(size: int) -> None:
    """It fades in and out: behind its end a transform sees silence."""
    places, fading = torch.arange(size).double(), torch.hann_window(size, dtype=torch.float64) ** 2
    low, high = ((fading * torch.sin(2 * math.pi * cycles * places / size)).float() for cycles in (200, 300))
    torch.testing.assert_close(narrowed(low + high), low, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("rate", "is_so"), [(8_000, True), (16_000, False)])
def test_what_was_recorded_at_half_the_rate_is_narrow(rate: int, is_so: bool) -> None:
    soxr = pytest.importorskip("soxr")
    hissing = (torch.randn(4_001, generator=drawn(0)) * torch.hann_window(4_001)).numpy()
    assert narrow(torch.from_numpy(soxr.resample(hissing, rate, 16_000))) is is_so


@pytest.mark.parametrize(("softer", "is_so"), [(50.0, False), (60.0, True)])
def test_a_wide_recording_may_have_little_above(softer: float, is_so: bool) -> None:
    low, high = (torch.sin(2 * math.pi * cycles * torch.arange(1_000) / 1_000) for cycles in (100, 300))
    assert narrow(low + high * 10 ** (-softer / 20)) is is_so


def test_silence_is_not_narrow() -> None:
    assert narrow(torch.zeros(100)) is False


def test_fitted_is_cut_or_filled_up() -> None:
    assert fitted(torch.arange(3), 2).tolist() == [0, 1] and fitted(torch.arange(3), 5).tolist() == [0, 1, 2, 0, 0]


def test_rows_become_as_loud_as_a_tenth_of_full_scale() -> None:
    rows = torch.zeros(4, 1_000)
    rows[0], rows[1, :100], rows[2] = 3.0, -0.002, 1e-6
    found = rows * loudening(rows, torch.tensor([1_000, 100, 1_000, 0]))
    assert found[0].tolist() == pytest.approx([0.1] * 1_000) and found[1, :100].tolist() == pytest.approx([-0.1] * 100)
    assert found[2, 0].item() == pytest.approx(1e-3) and not found[1, 100:].any() and not found[3].any()


@pytest.mark.parametrize(("seed", "size"), [(0, 600), (1, 601)])
def test_a_microphone_is_a_filter_of_two_poles_and_two_zeros(seed: int, size: int) -> None:
    """Against the recurrence, sample by sample; scipy takes the same coefficients."""
    above, below = (torch.rand(2, 2, generator=drawn(seed)).double().numpy() * 2 - 1) * 3 / 8
    sound = np.zeros(size, np.float32)
    sound[:400] = torch.randn(400, generator=drawn(9)).numpy()  # what rings on goes round the end, and is nothing by then
    wanted = scipy.signal.lfilter([1, *above], [1, *below], sound.astype(np.float64))
    found = microphone(drawn(seed))(torch.from_numpy(sound))
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_loudness_turns_every_half_second() -> None:
    found = 20 * torch.log10(swelled(torch.ones(4_001), 2_000, 10.0, drawn(0)).double())
    knots = found[::1_000]
    assert len(knots) == 5 and knots.abs().max() <= 10 and knots.std() > 2 and knots.min() < 0 < knots.max()
    # Straight lines in decibels between them, to float32 of a logarithm.
    between = torch.lerp(knots[:-1], knots[1:], 0.3)
    torch.testing.assert_close(found[300::1_000], between, atol=1e-4, rtol=0)
    assert swelled(torch.ones(1), 2_000, 10.0, drawn(0)).shape == (1,) and torch.equal(
        swelled(torch.ones(9), 2_000, 0.0, drawn(0)), torch.ones(9)
    )
