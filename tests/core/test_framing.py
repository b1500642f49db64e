from __future__ import annotations

import pytest

from zhuji.core.errors import BadSetting
from zhuji.core.framing import Framing


def test_sizes_are_whole_samples() -> None:
    framing = Framing(rate=8_000, window=0.032, hop=0.0101)
    assert (framing.span, framing.step, framing.points, framing.top) == (256, 81, 256, 4_000)
    assert framing.seconds == 81 / 8_000


@pytest.mark.parametrize("wrong", [{"low": 9_000}, {"high": 9_000}, {"hop": 1e-5}, {"rate": 1_000, "window": 0.001}])
def test_what_cannot_be_framed_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadSetting):
        Framing.parse({"rate": 16_000, **wrong}, "task.frames")


def test_what_differs_is_named_and_what_comes_out_alike_is_not() -> None:
    framing = Framing(rate=16_000, hop=0.0125)
    assert framing.differs(Framing(rate=16_000, hop=0.01250001, high=8_000.0)) == ()
    assert framing.differs(Framing(hop=0.01, bands=40, floor=-10)) == ("hop", "bands", "floor")
