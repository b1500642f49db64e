from __future__ import annotations

import pytest
import torch

from tests import vocoder, voiced
from zhuji.core.errors import ImpossiblePair, NoWeights
from zhuji.core.framing import Framing
from zhuji.core.units import Encoded
from zhuji.model.assembly import collate
from zhuji.model.predictor import Predictor
from zhuji.model.speak import SpeakSettings, spoken
from zhuji.model.vocode import TrainedVocoder


def test_frames_of_a_voice_become_its_samples() -> None:
    trained = TrainedVocoder(vocoder.untaught())
    ours, old = (spoken(voiced.untaught(), ["ab cd", "cab"], SpeakSettings(steps=1), way) for way in (trained, None))
    for one, other in zip(ours, old, strict=True):
        assert (one.frames == other.frames).all() and one.samples.shape == other.samples.shape
        assert not (one.samples == other.samples).all() and abs(one.samples).max() <= 1
    model, frames = vocoder.untaught().model, torch.from_numpy(ours[0].frames)
    units = collate(model, [Encoded(values=frames.clamp_min(voiced.FRAMING.floor).numpy())], None, len(frames)).units
    with torch.no_grad():
        expected = model.answers(units)["sound"][0].clamp(-1, 1)
    torch.testing.assert_close(torch.from_numpy(ours[0].samples), expected, atol=1e-5, rtol=1e-4)


def test_other_frames_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = TrainedVocoder(vocoder.untaught())
    other = Framing.parse({**voiced.FRAMING.plain(), "hop": 0.008, "floor": -12.0}, "frames")
    with pytest.raises(ImpossiblePair, match=r"hop 0.008 / 0.016, floor -12.0 / -16.0"):
        trained(torch.zeros(4, 12), other)
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    with pytest.raises(ImpossiblePair, match="声码器须由同样制作的帧学成"):
        trained.fits(other)


def test_only_a_vocoder_is_one() -> None:
    with pytest.raises(ImpossiblePair, match="--model vocoder"):
        TrainedVocoder(voiced.untaught())
    with pytest.raises(NoWeights):
        TrainedVocoder(Predictor(vocoder.untaught().model, runner=lambda units: None))


def test_phases_are_brought_to_agree_where_it_is_asked_for() -> None:
    frames = torch.from_numpy(spoken(voiced.untaught(), ["ab"], SpeakSettings(steps=1))[0].frames)
    plain, none, refined = (TrainedVocoder(vocoder.untaught(), steps)(frames, voiced.FRAMING) for steps in (0, 0, 5))
    assert torch.equal(plain, none) and refined.shape == plain.shape and not torch.equal(plain, refined)
