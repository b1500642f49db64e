import numpy as np
import pytest
import torch

from zhuji.nn.sounds.griffin_lim import griffin_lim, magnitudes_of
from zhuji.nn.sounds.mel import filters, log_mel
from zhuji.nn.sounds.spectra import stft


def tones(samples: int = 4_000) -> torch.Tensor:
    time = torch.arange(samples) / 8_000
    return (0.3 * torch.sin(2 * torch.pi * 440 * time) + 0.1 * torch.sin(2 * torch.pi * 1_320 * time))[None]


def test_it_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    # Of noise: where a bin holds nothing its phase is chance, and the two would part.
    magnitudes = stft(0.1 * torch.randn(1, 4_000, generator=torch.Generator().manual_seed(0)), 256, 64, 256).abs()
    theirs = librosa.griffinlim(
        magnitudes[0].T.numpy(), n_iter=8, hop_length=64, win_length=256, n_fft=256, init=None, length=4_000
    )
    ours = griffin_lim(magnitudes, 256, 64, 4_000, steps=8)[0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_more_steps_agree_better_with_the_magnitudes() -> None:
    wanted = stft(tones(), 256, 64, 256).abs()

    def apart(steps: int) -> float:
        found = griffin_lim(wanted, 256, 64, 4_000, steps=steps, chance=torch.Generator().manual_seed(0))
        return float((stft(found, 256, 64, 256).abs() - wanted).norm() / wanted.norm())

    assert apart(32) < 0.5 * apart(1) and apart(32) < 0.15


def test_a_tone_survives_the_way_over_mel_bands() -> None:
    bank = filters(8_000, 256, 40, (0.0, 4_000.0), "slaney")
    spectra = stft(tones(), 256, 64, 256)
    found = griffin_lim(magnitudes_of(log_mel(spectra, bank), bank), 256, 64, 4_000)
    peak = stft(found, 256, 64, 256).abs().mean(1).argmax()
    assert abs(int(peak) - 440 * 256 / 8_000) <= 1


def test_phases_that_are_right_stay_so() -> None:
    samples = torch.randn(1, 2_000, generator=torch.Generator().manual_seed(0))
    spectra = stft(samples, 256, 64, 256)
    found = griffin_lim(spectra.abs(), 256, 64, 2_000, steps=3, phases=spectra.angle())
    torch.testing.assert_close(found, samples, atol=1e-3, rtol=0)


def test_phases_by_chance_are_from_all_of_the_circle() -> None:
    """Frames that do not overlap, whose mean is nothing if no phase is likelier than another: to a deviation of 1 / sqrt(2,000) for what is 1 in a frame."""
    found = griffin_lim(torch.ones(1, 2_001, 9), 16, 16, 32_000, steps=0, chance=torch.Generator().manual_seed(0))
    frames = found[0, 8:-8].reshape(-1, 16)[:, 4:12] * torch.hann_window(16)[4:12]
    assert frames.std() > 0.1 and frames.mean(0).abs().max() < 0.03
