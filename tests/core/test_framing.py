from __future__ import annotations

import pytest

from zhuji.core.contracts import Modality
from zhuji.core.errors import BadSetting
from zhuji.core.framing import Framing, Windowed
from zhuji.core.lookup import find


def test_sizes_are_whole_samples() -> None:
    framing = Framing(rate=8_000, window=0.032, hop=0.0101)
    assert (framing.span, framing.step, framing.points, framing.top) == (256, 81, 256, 4_000)
    assert framing.seconds == 81 / 8_000


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"low": 9_000}, "low < high"), ({"high": 9_000}, "low < high"), ({"hop": 1e-5}, "whole samples"),
        ({"rate": 1_000, "window": 0.001}, "whole samples"),
    ],
)  # fmt: skip
def test_what_cannot_be_framed_is_refused(wrong: dict[str, float], rule: str) -> None:
    with pytest.raises(BadSetting, match=rule):
        Framing.parse({"rate": 16_000, **wrong}, "task.frames")


@pytest.mark.parametrize("name", ["speech", "waveform"])
def test_a_modality_of_sounds_has_windows_by_the_same_rules(name: str) -> None:
    modality = find(Modality, name)
    assert issubclass(modality, Windowed)
    told = modality.parse({"rate": 8_000, "window": 0.032, "hop": 0.0101})
    assert (told.span, told.step, told.points, told.unit_seconds) == (256, 81, 256, 81 / 8_000)
    for wrong in ({"hop": 1e-5}, {"rate": 1_000, "window": 0.001, "hop": 0.001}):
        with pytest.raises(BadSetting, match="whole samples"):
            modality.parse(wrong)


def test_what_differs_is_named_and_what_comes_out_alike_is_not() -> None:
    framing = Framing(rate=16_000, hop=0.0125)
    assert framing.differs(Framing(rate=16_000, hop=0.01250001, high=8_000.0)) == ()
    assert framing.differs(Framing(hop=0.01, bands=40, floor=-10)) == ("hop", "bands", "floor")
