from __future__ import annotations

import pytest

from tests import voiced
from zhuji.core.voices import Speaks, Voice


def test_a_voice_is_as_it_was_learned_unless_asked_otherwise() -> None:
    assert (Voice().speed, Voice().speaker) == (1.0, None)
    task = voiced.untaught().model.task
    assert isinstance(task, Speaks) and task.framing.differs(voiced.FRAMING) == () and task.voices == ("high", "low")


def test_what_speaks_says_how_its_frames_are_made() -> None:
    with pytest.raises(TypeError, match="framing"):
        type("Mute", (Speaks,), {})()
