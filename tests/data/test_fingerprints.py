from itertools import combinations, pairwise, product

import numpy as np
import pytest

from tests.heard import RATE, coded, tone
from zhuji.core.records import Sound
from zhuji.data.fingerprints import DIGEST, cluster_of, exact_key, fingerprint, similarity
from zhuji.data.sounds import as_wav, heard


def babble(seed: int, seconds: float = 1.0) -> np.ndarray:
    """Something like a word: tones that come and go, other ones for each seed."""
    random = np.random.default_rng(seed)
    parts = [
        tone(random.uniform(300, 2_000), seconds / 8, seed=seed) + tone(random.uniform(300, 2_000), seconds / 8)
        for _ in range(8)
    ]
    return np.concatenate(parts) * np.float32(0.5)


def listened(data: bytes) -> Sound:
    return heard(Sound(data=data))[0]


def test_the_same_recording_is_found_however_it_is_written() -> None:
    said = babble(0)
    others = [listened(as_wav(babble(seed), RATE)) for seed in range(1, 9)]
    copies = [
        listened(as_wav(said, RATE)), listened(as_wav(0.3 * said, RATE)), listened(coded(said, format="OGG")),
        listened(as_wav(said[400:], RATE)),
    ]  # fmt: skip
    clusters = cluster_of([*copies, *others], 0.8).tolist()
    assert len(set(clusters[:4])) == 1 and len(set(clusters)) == 9
    assert (similarity([*copies, *others], [0] * 3, [1, 2, 3]) >= 0.8).all()
    assert (similarity([*copies, *others], [0] * 8, list(range(4, 12))) < 0.5).all()


def test_a_recording_of_which_there_are_very_many_is_found_too() -> None:
    many = [listened(as_wav(gain * babble(0), RATE)) for gain in np.linspace(0.1, 0.9, 80)]
    clusters = cluster_of([*many, listened(as_wav(babble(1), RATE))], 0.8).tolist()
    assert len({exact_key(sound) for sound in many}) == 80
    assert len(set(clusters[:80])) == 1 and clusters[80] != clusters[0]


def test_without_a_threshold_only_equal_samples_are_copies() -> None:
    said = babble(0)
    sounds = [listened(as_wav(said, RATE)), listened(as_wav(0.3 * said, RATE)), listened(as_wav(said, RATE))]
    assert cluster_of(sounds, 0.0).tolist() == [0, 1, 0]
    assert exact_key(sounds[0]) == exact_key(sounds[2]) and len(exact_key(sounds[0])) == DIGEST


def test_what_is_too_short_or_silent_has_no_likeness() -> None:
    assert fingerprint(np.zeros(100, np.float32)) == b""
    sounds = [listened(as_wav(np.full(50, value), RATE)) for value in (0.1, 0.2)]
    assert cluster_of(sounds, 0.8).tolist() == [0, 1] and similarity(sounds, [0], [1]).tolist() == [0.0]


def test_a_fingerprint_is_that_of_the_paper() -> None:
    """Band by band in a loop: a bit is set where the energy of a band less that of the next one has grown since the frame before."""
    said = babble(3, 0.5)
    padded = np.pad(said.astype(np.float64), 512)
    window, edges = np.hanning(1024), [int(300 * (2_000 / 300) ** (n / 17) * 1024 / RATE) for n in range(18)]
    rows: list[list[float]] = []
    for start in range(0, len(padded) - 1023, 128):
        power = np.abs(np.fft.rfft(padded[start : start + 1024] * window)) ** 2
        energy = [power[low:high].sum() for low, high in pairwise(edges)]
        rows.append([one - other for one, other in pairwise(energy)])
    expected = np.array([[now > before for before, now in zip(*two, strict=True)] for two in pairwise(rows)])
    found = np.unpackbits(np.frombuffer(fingerprint(said), np.uint8)).reshape(-1, 16).astype(bool)
    # Float32 against float64: few differences of differences are so near to zero that their sign hangs on it.
    assert found.shape == expected.shape and (found != expected).mean() < 0.01


def test_of_a_fingerprint_there_are_8_frames_at_least_and_a_minute_at_most() -> None:
    noise = np.random.default_rng(0).standard_normal(61 * RATE).astype(np.float32)
    assert fingerprint(noise[:1_023]) == b"" and len(fingerprint(noise[:1_024])) == 16
    assert fingerprint(noise) == fingerprint(noise[: 60 * RATE])


def marked(number: int, bits: np.ndarray) -> Sound:
    return Sound(mark=number.to_bytes(DIGEST, "big") + bits.astype(">u2").tobytes())


def frames(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 16, count, dtype=np.uint16)


def overlaid(one: np.ndarray, other: np.ndarray) -> float:
    """Wherever two frames and those four behind them are alike in both."""
    best = 0.0
    for i, j in product(range(len(one) - 4), range(len(other) - 4)):
        if one[i] != other[j] or one[i + 4] != other[j + 4]:
            continue
        pairs = [(one[k], other[k - i + j]) for k in range(len(one)) if 0 <= k - i + j < len(other)]
        differ = sum((int(a) ^ int(b)).bit_count() for a, b in pairs) / (16 * len(pairs))
        if len(pairs) >= 8:
            best = max(best, (1 - 2 * differ) * len(pairs) / max(len(one), len(other)))
    return best


def test_a_likeness_is_that_of_the_bits_that_lie_over_each_other() -> None:
    whole, noise = frames(60, 0), np.random.default_rng(1).random((60, 16)) < 0.1
    spoiled = whole ^ np.packbits(noise, axis=1).view(">u2")[:, 0].astype(np.uint16)
    spoiled[30:35] = whole[30:35]
    others = [
        spoiled,
        spoiled[20:],
        whole[:50],
        np.concatenate((frames(25, 2), spoiled)),
        whole[10:40],
        frames(60, 3),
        np.tile(frames(6, 4), 8),
    ]
    # Alike everywhere but for one bit, so that no frame is the same, or but two neighbours; and seven frames that are.
    others += [others[-1] ^ 1, np.concatenate((whole[-7:], frames(1, 5)))]
    others.append(np.concatenate((whole[:30] ^ 1, whole[30:32], whole[32:] ^ 1)))
    # The opposite everywhere but at one key.
    others.append(~whole)
    others[-1][[30, 34]] = whole[[30, 34]]
    sounds = [marked(n, bits) for n, bits in enumerate((whole, *others))]
    pairs = list(combinations(range(len(sounds)), 2))
    found = similarity(sounds, *zip(*pairs, strict=True))
    expected = [overlaid((whole, *others)[a], (whole, *others)[b]) for a, b in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert sum(0 < one < 1 for one in expected) > 8


def test_clusters_are_of_what_is_alike_enough_and_not_of_what_everybody_shares() -> None:
    whole = frames(40, 0)
    half = np.concatenate((whole[:20], frames(20, 1)))
    assert cluster_of([marked(0, whole), marked(1, half)], 0.8).tolist() == [0, 1]
    assert cluster_of([marked(0, whole), marked(1, half)], 0.3).tolist() == [0, 0]
    assert not cluster_of([marked(n, whole) for n in range(20)], 0.8).any()
    # One of which one key alone is known stands between two that are alike, and others stand there twice.
    marks = [whole, np.concatenate((frames(20, 2), whole[20:25], frames(15, 3))), whole ^ 1, frames(40, 4)]
    marks[2][[20, 24]] = whole[[20, 24]]
    assert cluster_of([marked(n, one) for n, one in enumerate(marks)], 0.8).tolist() == [0, 1, 0, 2]
    again = cluster_of([marked(n, marks[n]) for n in (3, 0, 3, 1, 2, 0)], 0.8).tolist()
    assert again[0] == again[2] and again[1] == again[4] == again[5] and len(set(again)) == 3
    silent = cluster_of([marked(n, np.zeros(12, np.uint16)) for n in range(70)], 0.8)
    assert len(set(silent.tolist())) == 70


def test_a_mark_is_asked_for() -> None:
    with pytest.raises(AssertionError):
        exact_key(Sound("a.wav"))
