"""Against librosa, which computes the same in NumPy. Float32 sums of up to 512 products around 1 differ by about 1e-5."""

import numpy as np
import pytest
import torch

from zhuji.nn.sounds.spectra import frames_of, istft, stft, window

SIZES = [(400, 160, 512), (512, 128, 512), (200, 80, 256), (32, 8, 64)]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return (0.3 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize(("length", "hop", "fft"), SIZES)
@pytest.mark.parametrize("samples", [1, 50, 3_000])
@pytest.mark.filterwarnings("ignore:n_fft=")  # that a sound is shorter than a frame
def test_frames_are_librosas(length: int, hop: int, fft: int, samples: int) -> None:
    librosa = pytest.importorskip("librosa")
    sound = noise(samples)
    theirs = librosa.stft(sound, n_fft=fft, hop_length=hop, win_length=length).T
    ours = stft(torch.from_numpy(sound)[None], length, hop, fft)[0]
    assert ours.shape == theirs.shape == (frames_of(samples, hop), fft // 2 + 1)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


@pytest.mark.parametrize(("length", "hop", "fft"), SIZES)
def test_a_padded_row_has_the_frames_that_it_has_alone(length: int, hop: int, fft: int) -> None:
    sound = torch.from_numpy(noise(1_001))[None]
    alone = stft(sound, length, hop, fft)
    beside = stft(torch.cat((torch.nn.functional.pad(sound, (0, 777)), torch.ones(1, 1_778))), length, hop, fft)
    # Fourier transforms of batches of other sizes may add up in another order.
    torch.testing.assert_close(beside[:1, : alone.shape[1]], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("length", "hop", "fft"), SIZES)
def test_the_way_back(length: int, hop: int, fft: int) -> None:
    sound = torch.from_numpy(noise(2, 2_000))
    torch.testing.assert_close(istft(stft(sound, length, hop, fft), length, hop, 2_000), sound, atol=1e-5, rtol=0)


def test_behind_the_last_frame_all_is_silent() -> None:
    sound = torch.from_numpy(noise(1, 64))
    found = istft(stft(sound, 32, 8, 32), 32, 8, 200)
    assert found.shape == (1, 200) and not found[:, 80:].any()
    torch.testing.assert_close(found[:, :64], sound, atol=1e-5, rtol=0)


def test_a_tone_lies_where_its_frequency_is() -> None:
    tone = torch.sin(2 * torch.pi * 1_000 * torch.arange(8_000) / 8_000)[None]
    assert stft(tone, 256, 64, 256)[0, 20].abs().argmax() == 1_000 * 256 // 8_000
    assert window(100, 256).count_nonzero() == 99 and window(100, 256).argmax() == 128


def test_frames_of_padding_do_not_count_on_the_way_back() -> None:
    samples = torch.randn(1, 64, generator=torch.Generator().manual_seed(0))
    alone = stft(samples, 32, 8, 32)
    more = torch.cat((alone, torch.zeros(1, 3, 17, dtype=alone.dtype)), 1)
    real = torch.arange(12)[None] < 9
    torch.testing.assert_close(istft(more, 32, 8, 64, real), samples, atol=1e-6, rtol=0)
    assert (istft(more, 32, 8, 64) - samples).abs().max() > 0.01


def test_at_its_edges_a_sound_may_be_turned_round() -> None:
    samples = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    found = stft(samples, 16, 5, 16, "reflect")
    theirs = torch.stft(samples, 16, 5, window=torch.hann_window(16), return_complex=True, pad_mode="reflect").mT
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-5)
