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


def test_a_mark_is_asked_for() -> None:
    with pytest.raises(AssertionError):
        exact_key(Sound("a.wav"))
