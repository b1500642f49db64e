"""What a config asks of a backbone, and what a backbone says to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhuji.backbones.whisper import Whisper
from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.sound_family import body_of


def test_settings_become_a_backbone_or_are_refused_by_the_file() -> None:
    options = Options({}, Path("there/config.json"))
    assert isinstance(body_of(options, Whisper, {"width": 8, "heads": 2}), Whisper)
    with pytest.raises(UnreadableModel, match="heads") as caught:
        body_of(options, Whisper, {"width": 8, "heads": 3})
    assert "there/config.json" in str(caught.value)
