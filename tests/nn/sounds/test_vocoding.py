from __future__ import annotations

import pytest
import torch

from zhuji.core.framing import Frames, Framing
from zhuji.nn.sounds import framed
from zhuji.nn.sounds.spectra import stft
from zhuji.nn.sounds.vocoding import RESOLUTIONS, SpectrumHead, mel_error, sounding, spectral_error

FRAMING = Framing(rate=8_000, window=0.032, hop=0.008, bands=40)


def noise(rows: int, samples: int) -> torch.Tensor:
    return 0.3 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(0))


def test_samples_are_those_of_torchs_inverse() -> None:
    head, samples = SpectrumHead(Frames(FRAMING), 4), noise(2, 1_280)
    loud, phase = torch.randn(2, 21, 129, generator=torch.Generator().manual_seed(1)), torch.randn(2, 21, 129)
    found = head(loud, phase, torch.ones(2, 21, dtype=torch.bool))
    theirs = torch.istft(
        torch.polar(loud.exp(), phase).transpose(1, 2), 256, 64, window=torch.hann_window(256), center=True, length=1_280
    )
    torch.testing.assert_close(found, theirs, atol=2e-5, rtol=1e-5)
    spectra = stft(samples, 256, 64, 256)
    torch.testing.assert_close(
        head(spectra.abs().log(), spectra.angle(), torch.ones(2, 21, dtype=torch.bool)), samples, atol=1e-5, rtol=0
    )


def test_a_padded_row_sounds_as_it_does_alone() -> None:
    head, loud, phase = SpectrumHead(Frames(FRAMING), 4), torch.randn(1, 12, 129), torch.randn(1, 12, 129)
    real = torch.arange(12)[None] < 9
    alone = head(loud[:, :9], phase[:, :9], real[:, :9])
    beside = head(loud, phase, real)
    torch.testing.assert_close(beside[:, : 8 * 64], alone)
    assert not beside[:, 8 * 64 :].any() and sounding(real, 64).sum() == 8 * 64


def test_magnitudes_begin_at_the_least_squares_inverse_and_silence_stays_silent() -> None:
    head = SpectrumHead(Frames(FRAMING, (1.0,) * 40, (2.0,) * 40), 4)
    torch.nn.init.zeros_(head.out.weight)
    frames = framed.frames(noise(1, 1_280)[0], FRAMING)[None]
    frames[0, 3] = FRAMING.floor
    logs = head.logs((frames - 1) / 2)
    torch.testing.assert_close(logs, frames, atol=1e-5, rtol=0)
    loud, phase = head.said(torch.ones(1, 21, 4), logs)
    expected = framed.magnitudes_of(frames.masked_fill(frames <= FRAMING.floor, -torch.inf), framed.bank_of(FRAMING))
    torch.testing.assert_close(loud.exp(), expected.clamp_min(1e-5), atol=1e-4, rtol=1e-4)
    assert not phase.any() and (loud[0, 3].exp() < 2e-5).all()


def test_no_magnitude_is_said_that_no_sound_has() -> None:
    head = SpectrumHead(Frames(FRAMING), 4)
    torch.nn.init.constant_(head.out.bias, 1e3)
    loud, _ = head.said(torch.zeros(1, 3, 4), torch.zeros(1, 3, 40))
    assert (loud == 5).all()


def test_errors_are_none_of_the_recording_itself_and_counted_by_row() -> None:
    samples, real = noise(2, 1_280), torch.arange(21)[None] < torch.tensor([[21], [11]])
    samples = samples.masked_fill(~sounding(real, 64), 0.0)
    logs = framed.frames_of_rows(samples, FRAMING)
    assert not mel_error(samples, logs, real, FRAMING).any()
    lasting = torch.tensor([1_280, 640])
    assert (spectral_error(samples, samples, lasting) < 1e-5).all()  # the root of what keeps slopes finite
    louder = mel_error(samples * 1.5, logs, real, FRAMING)
    # Every band is louder by 2 ln 1.5, but for those at the floor, of which noise has none before its end.
    assert louder[0].item() == pytest.approx(21 * 2 * 0.405465, rel=1e-4)
    # Half as loud: half of it is missing, and ln 2 of every magnitude.
    halved = spectral_error(samples / 2, samples, lasting)
    assert halved[0].item() == pytest.approx(0.5 + 0.693147, abs=2e-2)
    other = samples.roll(100, 1).masked_fill(~sounding(real, 64), 0.0)
    alone = spectral_error(other[1:, :640], samples[1:, :640], lasting[1:])
    torch.testing.assert_close(spectral_error(other, samples, lasting)[1:], alone, atol=1e-4, rtol=1e-4)


def test_the_error_of_spectra_is_torchs_written_out() -> None:
    ours, theirs = noise(1, 2_048), noise(1, 2_048).flip(1)
    total = torch.zeros(())
    for length, hop in RESOLUTIONS:
        each = [
            torch.stft(
                x, length, hop, window=torch.hann_window(length), center=True, pad_mode="constant", return_complex=True
            ).abs()
            for x in (ours, theirs)
        ]
        one, other = ((x.square() + 1e-7).sqrt() for x in each)
        total = total + (other - one).norm() / other.norm() + (other.log() - one.log()).abs().mean()
    torch.testing.assert_close(spectral_error(ours, theirs, torch.tensor([2_048]))[0], total / 3, atol=1e-4, rtol=1e-4)


def test_magnitudes_that_are_right_cost_nothing() -> None:
    head, samples = SpectrumHead(Frames(FRAMING), 4), noise(1, 1_280)
    loud, real = stft(samples, 256, 64, 256).abs().log(), torch.arange(21)[None] < 11
    assert head.magnitude_error(loud, samples, real).item() < 1e-3
    assert head.magnitude_error(loud + 0.5, samples, real).item() == pytest.approx(11 * 0.5, rel=1e-3)
    assert head.magnitude_error(torch.full_like(loud, -99), torch.zeros(1, 1_280), real).item() == 0
