import io
import math

import numpy as np
import pytest
import torch

from zhuji.nn.sounds.companding import companded, expanded


def test_ids_come_back_and_samples_nearly() -> None:
    ids = torch.arange(256)
    assert companded(expanded(ids)).equal(ids)
    samples = torch.linspace(-1, 1, 10_001)
    # Half a step is widest at full scale, where 256 levels are ln(256) / 255 apart.
    assert (expanded(companded(samples)) - samples).abs().max() < 0.0225
    quiet = samples[samples.abs() < 0.01]
    assert (expanded(companded(quiet)) - quiet).abs().max() < 4e-4


@pytest.mark.parametrize("levels", [16, 256, 65_536])
def test_a_round_trip_errs_by_half_a_level_at_most(levels: int) -> None:
    """The slope of the inverse law, (|x| + 1 / mu) ln(1 + mu) (G.711; Smith 1957), times half of the step 2 / mu; the law bends upward within a level, which adds
    no more than one level's share."""
    mu = levels - 1
    samples = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    bound = (samples.abs() + 1 / mu) * math.expm1(math.log1p(mu) / mu) + 1e-6
    assert ((expanded(companded(samples, levels), levels) - samples).abs() <= bound).all()


def test_silence_lies_in_the_middle_and_louder_than_full_is_full() -> None:
    assert companded(torch.tensor([0.0, 1.0, -1.0, 5.0, -5.0])).tolist() == [128, 255, 0, 255, 0]


def test_the_law_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    samples = np.linspace(-1, 1, 4_001)
    pressed = librosa.mu_compress(samples, mu=255, quantize=False)
    assert companded(torch.from_numpy(samples)).equal(torch.from_numpy(np.floor((pressed + 1) / 2 * 255 + 0.5)).long())
    opened = librosa.mu_expand(2 * np.arange(256) / 255 - 1, mu=255, quantize=False)
    np.testing.assert_allclose(expanded(torch.arange(256)).numpy(), opened, atol=1e-6)


def telephone(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes and samples by libsndfile's G.711. Its bytes are inverted: sign, then how far from silence."""
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, samples, 8_000, format="RAW", subtype="ULAW")
    codes = ~np.frombuffer(file.getvalue(), np.uint8)
    far = (codes & 0x7F).astype(int)
    file.seek(0)
    back, _ = soundfile.read(file, channels=1, samplerate=8_000, format="RAW", subtype="ULAW")
    return np.where(codes & 0x80, 127 - far, 128 + far), back


def test_telephones_have_the_same_law_in_straight_pieces() -> None:
    """G.711 joins eight straight pieces where the law bends: a straight piece lies below a logarithm of base 2 by at most 0.086 of its 16 codes, that is 1.4, and
    codes are rounded otherwise. Both hear as much of a loud tone as of a soft one."""
    samples = np.linspace(-0.98, 0.98, 20_001)
    codes, _ = telephone(samples)
    ours = companded(torch.from_numpy(samples)).numpy()
    assert np.abs(ours - codes).max() <= 2
    time = np.arange(8_000) / 8_000
    for decibels in (-3, -15, -27, -39):
        tone = 10 ** (decibels / 20) * np.sin(2 * np.pi * 441 * time)
        _, theirs = telephone(tone)
        back = expanded(companded(torch.from_numpy(tone))).numpy()
        clean, other = (10 * np.log10((tone**2).mean() / ((tone - heard) ** 2).mean()) for heard in (back, theirs))
        assert clean > 30 and abs(clean - other) < 2, decibels
