import pytest

import zhuji
from tests import trained
from tests.cli.test_listening import listener
from tests.model.test_streaming import RATE, cut, noise
from zhuji.core.errors import BadSetting, ImpossiblePair


def test_a_stream_is_heard_while_it_comes() -> None:
    model, sound = listener()
    parts = zhuji.transcribe(model, cut(noise(6.0), 800), rate=RATE, chunk=1, left=0.3, right=0.3)
    assert [part.last for part in parts] == [False] * 5 + [True]
    assert zhuji.transcribe(model, sound).whole().text


def test_only_a_model_that_transcribes_listens() -> None:
    model, sound = listener()
    with pytest.raises(ImpossiblePair):
        zhuji.transcribe(trained.run(), sound)
    with pytest.raises(BadSetting):
        zhuji.transcribe(model, sound, chunk=-1)
