from pathlib import Path

import numpy as np
import pytest
import torch

from tests.heard import RATE, tone, written
from tests.model.writers import writer
from zhuji.backbones.recurrent import Recurrent
from zhuji.backbones.wavenet import Wavenet
from zhuji.core.contracts import Backbone
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.unreadable import SoundError
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import Model, assemble
from zhuji.model.sounding import SoundSettings, sounded, sounds
from zhuji.nn.cache import CachedBody
from zhuji.tasks.next_unit import NextUnit

pytest.importorskip("soundfile")


def maker(backbone: Backbone | None = None) -> Model:
    body = backbone or Wavenet(width=8, skip=12, layers=5, cycles=2)
    model = assemble(Speech(rate=RATE, features="samples"), body, NextUnit(tied=False, bias=True)).eval()
    with torch.no_grad():
        model.head.own.weight.mul_(3)
    return model


class Plain(torch.nn.Module):
    """A body that keeps nothing."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, features):
        return self.body(features)


def test_cached_and_uncached_make_the_same_sounds(tmp_path: Path) -> None:
    """Prompts of 160, 50 and 1 samples, which are less and more than the 64 that are looked back on."""
    prompts = [written(tmp_path / f"{size}.wav", tone(500, size / RATE, seed=size)) for size in (160, 50, 1)]
    model, settings = maker(), SoundSettings(seconds=0.02, seed=3)
    assert isinstance(model.encoder.body, CachedBody)
    fast = sounded(model, prompts, settings)
    model.encoder.body = Plain(model.encoder.body)
    for one, other in zip(fast, sounded(model, prompts, settings), strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        # The same sums in another order.
        assert one.bits == pytest.approx(other.bits, abs=1e-5)


def test_a_sound_begins_with_what_is_heard_of_its_prompt(tmp_path: Path) -> None:
    said = tone(500, 0.1)
    prompt = written(tmp_path / "prompt.wav", said)
    for heard, size in ((None, 800), (0.05, 400), (9.0, 800)):
        (one,) = sounded(maker(), [prompt], SoundSettings(seconds=0.01, heard=heard))
        assert (one.heard, len(one.samples), one.rate) == (size, size + 80, RATE)
        np.testing.assert_allclose(one.samples[:size], said[:size], atol=0.01)
        assert 0 < one.bits < 30 and np.abs(one.samples).max() <= 1


def test_without_a_prompt_it_begins_in_silence() -> None:
    first, second = sounded(maker(), settings=SoundSettings(seconds=0.01, count=2))
    assert first.heard == second.heard == 0 and len(first.samples) == 80
    assert not np.array_equal(first.samples, second.samples)


def test_same_seed_same_sound_and_greedy_has_no_chance() -> None:
    def made(**options) -> np.ndarray:
        return sounded(maker(), settings=SoundSettings(seconds=0.02, **options))[0].samples

    np.testing.assert_array_equal(made(seed=1), made(seed=1))
    assert not np.array_equal(made(seed=1), made(seed=2))
    np.testing.assert_array_equal(made(how="greedy", seed=1), made(how="greedy", seed=2))


def test_any_causal_network_over_samples_can() -> None:
    model = maker(Recurrent(width=4, hidden=6, directions=1))
    assert sounds(model) and len(sounded(model, settings=SoundSettings(seconds=0.005))[0].samples) == 40


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    assert not sounds(writer())
    with pytest.raises(ImpossiblePair, match="next sample"):
        sounded(writer())
    prompt = written(tmp_path / "prompt.wav", tone(500, 0.1))
    with pytest.raises(BadSetting, match="at least one sample"):
        sounded(maker(), [prompt], SoundSettings(heard=1e-6))
    with pytest.raises(SoundError):
        sounded(maker(), [tmp_path / "none.wav"])
    for broken in ({"seconds": 0}, {"temperature": 0}, {"count": 0}, {"how": "beam"}):
        with pytest.raises(BadSetting):
            SoundSettings.parse(broken)
