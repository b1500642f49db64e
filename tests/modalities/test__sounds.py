from __future__ import annotations

import numpy as np
import pytest

from tests.heard import RATE, tone
from zhuji.core.contracts import Modality
from zhuji.core.lookup import find, names
from zhuji.core.records import Sound
from zhuji.core.unreadable import SoundError
from zhuji.data.sounds import as_wav
from zhuji.modalities._sounds import Sounds, noises

pytest.importorskip("soundfile")
KINDS = [kind for name in names(Modality) if issubclass(kind := find(Modality, name), Sounds)]


def test_modalities_of_sounds_are_found_and_measure_into_files_of_their_own() -> None:
    assert {kind.name() for kind in KINDS} >= {"speech", "waveform"}
    assert len({kind.measures for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name())
def test_what_was_measured_is_written_and_read_back(kind: type[Sounds]) -> None:
    one, _ = kind.example()
    written = dict(one.files())
    assert list(written) == [kind.measures]
    fresh = kind.parse(one.plain())
    assert fresh.files() == {} and fresh.with_files({}) is fresh and not fresh.fitted
    again = fresh.with_files({**written, "other.json": b"{}"})
    assert again.fitted and dict(again.files()) == written and not fresh.fitted
    narrow = b'{"mean": [0.0], "deviation": [1.0], "sounds": 1}'
    with pytest.raises(ValueError, match=rf"{kind.measures} .*{one.channels} channels"):
        fresh.with_files({kind.measures: narrow})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name())
@pytest.mark.parametrize("count", [1, 40])
def test_each_sound_is_heard_in_order_at_the_rate_of_the_modality(kind: type[Sounds], count: int) -> None:
    one = kind.example()[0].model_copy(update={"longest": 0.1})
    given = [Sound(data=as_wav(tone(300, 0.05 + 0.001 * n, 2 * RATE), 2 * RATE)) for n in range(count)]
    found = list(one._each(given, lambda heard: len(heard.samples)))
    np.testing.assert_allclose(found, [RATE * (0.05 + 0.001 * n) for n in range(count)], atol=1)
    assert [len(each) for each in one._each([Sound(data=as_wav(tone(300, 0.5), RATE))], lambda heard: heard.samples)] == [800]
    with pytest.raises(SoundError):
        list(one._each([*given, Sound(data=b"no sound")], lambda heard: None))


def test_noises_are_unequal_and_the_same_each_time() -> None:
    sizes = [len(one.data or b"") for one in noises()]
    assert len(set(sizes)) == len(sizes) and [one.data for one in noises()] == [one.data for one in noises()]
