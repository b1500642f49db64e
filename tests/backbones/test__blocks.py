from __future__ import annotations

import pytest

from zhuji.backbones._blocks import Blocks
from zhuji.core.contracts import Backbone
from zhuji.core.errors import BadSetting
from zhuji.core.lookup import find, names

KINDS = [kind for name in names(Backbone) if issubclass(kind := find(Backbone, name), Blocks)]


def test_backbones_of_blocks_are_found() -> None:
    assert {kind.name() for kind in KINDS} >= {"conformer", "transformer", "vit", "wav2vec2", "whisper"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name())
def test_each_gives_states_of_its_width_and_keeps_to_the_rules_of_its_blocks(kind: type[Blocks]) -> None:
    small = kind.example()
    plain = {**small.plain(), "hidden": None}
    assert small.out_width == small.width == 8 and small.hidden_width == (small.hidden or 32)
    assert [kind.parse({**plain, "dropout": rate}).drops for rate in (0.0, 0.1)] == [False, True]
    for wrong in ({"heads": 3}, {"width": 0}, {"layers": 0}, {"heads": 0}, {"hidden": 0}, {"dropout": 1.0}):
        with pytest.raises(BadSetting):
            kind.parse({**plain, **wrong})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name())
def test_without_a_hidden_width_it_is_four_times_the_states(kind: type[Blocks]) -> None:
    plain = {**kind.example().plain(), "hidden": None}
    if "feedforward" in plain:
        plain["feedforward"] = "gelu"
    assert kind.parse(plain).hidden_width == 32
