from __future__ import annotations

import numpy as np
import pytest
import torch

from zhuji.core.framing import Framing
from zhuji.nn.sounds import framed

FRAMING = Framing(rate=8_000, window=0.032, hop=0.008, bands=40)


def voice(seconds: float = 1.0) -> torch.Tensor:
    """Harmonics of a pitch that glides, with a silence in the middle."""
    time = torch.arange(round(seconds * 8_000)) / 8_000
    pitch = 2 * torch.pi * (120 * time + 20 * time**2)
    tone = sum(torch.sin(n * pitch) / n for n in range(1, 16))
    return 0.1 * torch.as_tensor(tone) * ((time - 0.5).abs() > 0.1)


def apart(samples: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far spectra are apart, of those that were wanted (spectral convergence, Sturmel & Daudet 2011)."""
    from zhuji.nn.sounds.spectra import stft

    found = stft(samples[None], FRAMING.span, FRAMING.step, FRAMING.points).abs()[0]
    count = min(len(found), len(wanted))
    return float((found[:count] - wanted[:count]).norm() / wanted[:count].norm())


def test_frames_are_librosas_above_the_floor() -> None:
    librosa = pytest.importorskip("librosa")
    sound = voice()
    theirs = librosa.feature.melspectrogram(
        y=sound.numpy(), sr=8_000, n_fft=256, win_length=256, hop_length=64, n_mels=40, pad_mode="constant"
    ).T
    expected = np.log(np.maximum(theirs, 1e-10)).clip(FRAMING.floor)
    np.testing.assert_allclose(framed.frames(sound, FRAMING).numpy(), expected, atol=1e-3)


def test_windows_shorter_than_a_transform_and_bands_between_two_ends_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    narrow = Framing(rate=8_000, window=0.025, hop=0.01, bands=20, low=300, high=3_000, scale="htk")
    sound = voice()
    theirs = librosa.feature.melspectrogram(
        y=sound.numpy(), sr=8_000, n_fft=256, win_length=200, hop_length=80, n_mels=20, pad_mode="constant",
        fmin=300, fmax=3_000, htk=True, norm=None,
    ).T  # fmt: skip
    expected = np.log(np.maximum(theirs, 1e-10)).clip(narrow.floor)
    np.testing.assert_allclose(framed.frames(sound, narrow).numpy(), expected, atol=1e-3)


def test_the_way_back_comes_as_near_as_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    sound = voice()
    from zhuji.nn.sounds.spectra import stft

    real = stft(sound[None], FRAMING.span, FRAMING.step, FRAMING.points).abs()[0]
    frames = framed.frames(sound, FRAMING)
    ours = framed.samples(frames, FRAMING, steps=60)
    assert ours.shape == ((len(frames) - 1) * FRAMING.step,)
    theirs = librosa.feature.inverse.mel_to_audio(
        frames.exp().T.numpy(), sr=8_000, n_fft=256, win_length=256, hop_length=64, n_iter=60, pad_mode="constant"
    )
    # librosa seeks energies that are nowhere below zero, ours cuts them off at zero: the one is a little nearer.
    assert apart(ours, real) < 1.15 * apart(torch.from_numpy(theirs), real)


def test_more_steps_come_nearer_and_the_same_frames_sound_the_same() -> None:
    frames = framed.frames(voice(), FRAMING)

    def again(steps: int) -> float:
        return float((framed.frames(framed.samples(frames, FRAMING, steps), FRAMING) - frames[: len(frames)]).abs().mean())

    assert again(60) < again(2)
    assert torch.equal(framed.samples(frames, FRAMING, 4), framed.samples(frames, FRAMING, 4))


def test_silence_stays_silent() -> None:
    assert not framed.samples(torch.full((5, 40), FRAMING.floor), FRAMING).any()
    assert framed.samples(torch.full((1, 40), FRAMING.floor), FRAMING).shape == (FRAMING.step,)


def test_what_is_too_loud_for_a_file_is_cut_at_full_scale() -> None:
    frames = framed.frames(30 * voice(), FRAMING)
    assert framed.samples(frames, FRAMING, 4).abs().max() == 1
