"""Against librosa. Filters are equal to the last bits; logarithms of sums of powers to 1e-4, as small powers are sums of rounding errors."""

import numpy as np
import pytest
import torch

from zhuji.nn.sounds.mel import FLOOR, WHISPER, cepstra, cosines, filters, from_mel, log_mel, to_mel, whisper_log_mel
from zhuji.nn.sounds.spectra import stft

SCALES = ["slaney", "htk"]


def sound() -> np.ndarray:
    random = np.random.default_rng(1)
    tones = sum(np.sin(2 * np.pi * f * np.arange(8_000) / 16_000) for f in (220, 740, 3_000))
    # Its end is so soft that it lies below what counts beside the loudest.
    soft = np.where(np.arange(8_000) < 5_000, 1, 1e-4)
    return (soft * (0.1 * tones + 0.01 * random.standard_normal(8_000))).astype(np.float32)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("rate", "fft", "bands", "low", "high"), [(16_000, 512, 80, 0, 8_000), (8_000, 256, 40, 20, 4_000)])
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filters_are_librosas(scale, rate: int, fft: int, bands: int, low: float, high: float) -> None:
    librosa = pytest.importorskip("librosa")
    norm = "slaney" if scale == "slaney" else None
    theirs = librosa.filters.mel(sr=rate, n_fft=fft, n_mels=bands, fmin=low, fmax=high, htk=scale == "htk", norm=norm)
    np.testing.assert_allclose(filters(rate, fft, bands, (low, high), scale).numpy(), theirs.T, atol=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_log_mel_and_mfcc_are_librosas(scale) -> None:
    librosa = pytest.importorskip("librosa")
    options = {"sr": 16_000, "n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 40}
    options |= {"htk": scale == "htk", "norm": "slaney" if scale == "slaney" else None}
    mel = librosa.feature.melspectrogram(y=sound(), **options)
    logs = log_mel(stft(torch.from_numpy(sound())[None], 400, 160, 512), filters(16_000, 512, 40, (0.0, 8_000.0), scale))
    np.testing.assert_allclose(logs[0].numpy(), np.log(np.maximum(mel, FLOOR)).T, atol=1e-4)
    theirs = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=13)
    np.testing.assert_allclose(cepstra(logs, 13, 80.0)[0].numpy(), theirs.T, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("scale", SCALES)
def test_the_scale_and_back(scale) -> None:
    hertz = torch.tensor([0.0, 100.0, 999.0, 1_000.0, 1_001.0, 8_000.0], dtype=torch.float64)
    torch.testing.assert_close(from_mel(to_mel(hertz, scale), scale), hertz)
    assert to_mel(torch.tensor(1_000.0), "slaney") == 15 and abs(float(to_mel(torch.tensor(1_000.0), "htk")) - 1_000) < 0.02


def test_silence_is_the_floor_and_nothing_is_infinite() -> None:
    logs = log_mel(torch.zeros(1, 3, 257, dtype=torch.complex64), filters(16_000, 512, 80, (0.0, 8_000.0), "slaney"))
    torch.testing.assert_close(logs, torch.full_like(logs, np.log(FLOOR)))
    assert cepstra(logs, 13, 80.0).isfinite().all()


def test_cosines_are_orthonormal() -> None:
    torch.testing.assert_close(cosines(40, 40).T @ cosines(40, 40), torch.eye(40), atol=1e-6, rtol=0)


@pytest.mark.parametrize("length", [1, 160, 161, 8_000, 15_900, 16_000])
def test_whispers_log_mel_is_written_out(length: int) -> None:
    """Against torch's own short-time spectrum of the sound filled up to its whole length. transformers' is compared in tests/parity."""
    whole, bank = 16_000, filters(16_000, 400, 12, (0.0, 8_000.0), "slaney")
    samples = torch.from_numpy(np.resize(sound(), length))
    samples[-1] = 1.0
    filled = torch.nn.functional.pad(samples, (0, whole - length))
    power = torch.stft(filled, 400, 160, window=torch.hann_window(400), return_complex=True).abs()[:, :-1].square().T @ bank
    logs = power.clamp_min(1e-10).log10()
    expected = (logs.maximum(logs.max() - 8) + 4) / 4
    found = whisper_log_mel(samples, bank, 400, 160, whole)
    mean, deviation = WHISPER
    assert len(found) == -(-length // 160)
    torch.testing.assert_close((found - mean) / deviation, expected[: len(found)], rtol=0, atol=1e-5)


def test_what_the_network_computes_in_changes_no_frame() -> None:
    spectra = stft(torch.from_numpy(sound())[None], 400, 160, 512)
    bank = filters(16_000, 512, 80, (0, 8_000), "slaney")
    with torch.autocast("cpu", torch.bfloat16):
        found = log_mel(spectra, bank)
    assert found.dtype == torch.float32 and torch.equal(found, log_mel(spectra, bank))
