"""What only models of sounds do over HTTP; what they do as those of pictures: `test_media.py`."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tests.serving import house, made
from tests.serving.media import SOUNDS
from zhuji.core.contracts import Modality
from zhuji.core.lookup import find
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.model.bundle import open_bundle

pytest.importorskip("soundfile")


def test_a_cleaned_sound_comes_as_one():
    modality, sounds_given = find(Modality, "waveform").example()
    place = made.of_task("enhance")
    (found,) = house.post(house.settings(place), "/predict", json={"input": SOUNDS.sent(sounds_given[0])}).json()["predictions"]
    expected = next(open_bundle(place).predict(sounds_given[:1]))
    got = sounds.samples(Sound(data=base64.b64decode(found["sound"])), modality.rate).samples
    assert np.abs(got - np.clip(expected.waves.sound, -1, 1)).max() < 1e-4 and found["answer"] == pytest.approx(
        expected.answer, abs=1e-5
    )


def test_seconds_that_were_not_read_are_told():
    """31 and 29 seconds, of which 30 are read at most."""
    given = [{"sound": base64.b64encode(sounds.as_wav(np.zeros(8_000 * seconds), 8_000)).decode()} for seconds in (31, 29)]
    long, short = house.post(house.settings(made.listener()), "/predict", json={"inputs": given}).json()["predictions"]
    assert long["cut"] == 1.0 and "cut" not in short
