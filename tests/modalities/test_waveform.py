from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.heard import RATE, tone
from zhuji.core.errors import BadSetting
from zhuji.core.records import Sound
from zhuji.core.unreadable import SoundError
from zhuji.data.sounds import as_wav
from zhuji.modalities.waveform import Waveform

pytest.importorskip("soundfile")
SMALL = {"rate": RATE, "hop": 0.004, "window": 0.016}


def sounds(*seconds: float) -> list[Sound]:
    return [Sound(data=as_wav(tone(300 + 100 * n, length, seed=n), RATE)) for n, length in enumerate(seconds)]


def test_units_are_the_samples_themselves() -> None:
    one = Waveform(**SMALL)
    said = tone(440, 0.1001)
    (row,) = one.encode([Sound(data=as_wav(said, RATE))])
    assert one.step == 32 and row.grid == (26,) and row.values is not None and row.values.shape == (26, 32)
    flat = row.values.reshape(-1)
    np.testing.assert_allclose(flat[: len(said)], said, atol=5e-5)
    assert not flat[len(said) :].any() and one.spec.rate == RATE and one.spec.num_values == 32


def test_what_is_too_long_is_cut_and_told() -> None:
    one = Waveform(**SMALL, longest=0.1)
    (row,) = one.encode(sounds(0.3))
    assert row.length == 25 and row.cut == 50


def test_other_rates_are_brought_to_one() -> None:
    (row,) = Waveform(**SMALL).encode([Sound(data=as_wav(tone(440, 0.2, 16_000), 16_000))])
    assert row.length == 50


def test_batches_are_padded_with_silence() -> None:
    one = Waveform(**SMALL)
    units = one.collate(one.encode(sounds(0.1, 0.04)), (30,))
    assert units.values is not None and units.values.shape == (2, 30, 32) and units.mask.sum(1).tolist() == [25, 10]
    assert not units.values[~units.mask].any()


def test_the_first_layer_sees_mean_0_and_deviation_1() -> None:
    given = sounds(0.2, 0.2, 0.2)
    one = Waveform(**SMALL).fit(given)
    stem = one.stem(65)
    with torch.no_grad():
        stem.map.weight.copy_(torch.eye(65))
    states = stem(one.collate(one.encode(given), (50,))).states.flatten(0, 1)
    torch.testing.assert_close(states.mean(0), torch.zeros(65), atol=1e-3, rtol=0)
    torch.testing.assert_close(states.std(0, correction=0), torch.ones(65), atol=1e-3, rtol=0)


def test_what_was_learned_travels_and_is_looked_at() -> None:
    one = Waveform(**SMALL).fit(sounds(0.2, 0.1))
    again = Waveform(**SMALL).with_files(one.files())
    assert again.files() == one.files() and again.fitted and not Waveform(**SMALL).fitted
    for bad in ({"mean": [0.0], "deviation": [1.0]}, {"mean": [0.0] * 65, "deviation": [0.0] * 65}):
        with pytest.raises(ValueError, match="65 channels"):
            Waveform(**SMALL).with_files({"waveform.json": json.dumps({**bad, "sounds": 1}).encode()})


def test_bad_input_and_settings() -> None:
    with pytest.raises(SoundError):
        Waveform(**SMALL).encode([Sound(data=b"RIFF no sound")])
    with pytest.raises(BadSetting, match="two hops"):
        Waveform.parse({**SMALL, "window": 0.004})
