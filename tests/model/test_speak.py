from __future__ import annotations

import numpy as np
import pytest
import torch

from tests import voiced
from tests.painter import painter
from zhuji.core.errors import BadSetting, ImpossiblePair, NoWeights, UnknownName
from zhuji.core.framing import Framing
from zhuji.core.unreadable import Unsayable
from zhuji.model.predictor import Predictor
from zhuji.model.speak import SpeakSettings, readable, speaker_of, spoken

QUICK = SpeakSettings(steps=2)


KINDS = ["durations", "attention"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_sound_a_text_in_order_and_the_same_alone(kind: str) -> None:
    texts = ["ab cd", "cab", "dddd abcd"]
    together = spoken(voiced.untaught(kind), texts, QUICK)
    assert [one.text for one in together] == texts
    for text, one in zip(texts, together, strict=True):
        (alone,) = spoken(voiced.untaught(kind), [text], QUICK)
        assert np.array_equal(one.durations, alone.durations)
        # Padding lets kernels add in another order; Griffin-Lim makes a little more of it.
        np.testing.assert_allclose(one.frames, alone.frames, atol=1e-4)
        assert one.frames.shape == (one.durations.sum(), 12) and len(one.durations) == len(text) + 2
        assert one.rate == voiced.RATE and one.seconds == pytest.approx((len(one.frames) - 1) * voiced.FRAMING.seconds)
        assert np.abs(one.samples).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_half_as_fast_takes_twice_as_long(kind: str) -> None:
    plain, slow = (spoken(voiced.untaught(kind), ["ab cd ab"], SpeakSettings(steps=1, speed=speed))[0] for speed in (1.0, 0.5))
    assert 1.8 < slow.seconds / plain.seconds < 2.2


def test_another_vocoder_takes_the_place_of_griffin_lim() -> None:
    heard: list[tuple[tuple[int, ...], Framing]] = []

    def vocoder(frames: torch.Tensor, framing: Framing) -> torch.Tensor:
        heard.append((tuple(frames.shape), framing))
        return torch.full((7,), 0.5)

    (one,) = spoken(voiced.untaught(), ["ab"], vocoder=vocoder)
    assert one.samples.tolist() == [0.5] * 7 and heard == [(one.frames.shape, voiced.FRAMING)]


@pytest.mark.parametrize(("text", "why"), [
    ("", "empty"), (" \t\n", "empty"), ("\u200b", "empty"), ("abcé!d", "never met: é !"), ("ab" * 40, "units more than 40"),
])  # fmt: skip
def test_what_cannot_be_said_is_refused_with_its_place(text: str, why: str) -> None:
    with pytest.raises(Unsayable, match=why) as caught:
        spoken(voiced.untaught(), ["ab", text], QUICK)
    assert "2" in str(caught.value)
    with pytest.raises(Unsayable):
        readable(voiced.untaught(), text)


def test_only_a_voice_speaks() -> None:
    with pytest.raises(ImpossiblePair, match="learned a voice"):
        spoken(painter(), ["ab"])
    with pytest.raises(UnknownName, match="high, low"):
        spoken(voiced.untaught(), ["ab"], SpeakSettings(speaker="nobody"))
    with pytest.raises(NoWeights):
        speaker_of(Predictor(voiced.untaught().model, runner=lambda units: None))
    with pytest.raises(BadSetting):
        SpeakSettings.parse({"speed": 9}, "speak")
