import numpy as np
import pytest
import torch

from tests.contracts import properties
from tests.contracts.properties import Cell
from zhuji.backbones.wavenet import Wavenet
from zhuji.core.errors import BadSetting
from zhuji.core.records import Sound
from zhuji.core.units import Features
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify
from zhuji.tasks.next_unit import NextUnit

VARIANTS = [{}, {"window": 3, "cycles": 2, "layers": 1}, {"hidden": None, "out": None, "skip": 3}]


def samples() -> tuple[Speech, list[Sound]]:
    random = np.random.default_rng(0)
    given = [Sound(data=as_wav(0.3 * random.standard_normal(size), 8_000)) for size in (37, 12, 50, 5)]
    return Speech(rate=8_000, features="samples", levels=32), given


@pytest.mark.parametrize("settings", VARIANTS)
def test_promises_over_samples_and_over_text(settings):
    pytest.importorskip("soundfile")
    backbone = Wavenet.parse({**Wavenet.example().plain(), **settings})
    for example, task in (
        (samples(), NextUnit.example()),
        (Text.example(), NextUnit.example()),
        (samples(), Classify.example()),
    ):
        cell = Cell.of(example, backbone, task)
        for promise in properties.EVERY:
            promise(cell)
    for example in (samples(), Text.example()):
        properties.sees_no_future(Cell.of(example, backbone, NextUnit.example()))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"layers": 10, "cycles": 1}, 1_025),  # 1,024 by section 2.1, and one for the first convolution
        ({"layers": 10, "cycles": 3}, 3 * 1_023 + 2),
        ({"layers": 3, "cycles": 2, "window": 3}, 1 + 2 * (1 + 14)),
    ],
)
def test_the_receptive_field_is_the_papers(settings, field):
    assert Wavenet.parse(settings).receptive_field == field


@pytest.mark.parametrize("settings", [{"layers": 3, "cycles": 2}, {"layers": 2, "cycles": 2, "window": 3}])
def test_a_state_depends_on_its_receptive_field_and_on_nothing_else(settings):
    torch.manual_seed(0)
    backbone = Wavenet.parse({"width": 6, "skip": 9, **settings})
    body, field, last = backbone.body(True).eval(), backbone.receptive_field, 59
    states, mask = torch.randn(1, 60, 6), torch.ones(1, 60, dtype=torch.bool)

    def answer(changed: int | None) -> torch.Tensor:
        given = states.clone()
        if changed is not None:
            given[0, changed] += 10
        with torch.no_grad():
            return body(Features(given, mask)).states[0, last]

    plain = answer(None)
    for distance in range(60):
        same = torch.equal(answer(last - distance), plain)
        assert same is (distance >= field), f"at a distance of {distance}"


def test_as_many_numbers_are_learned_as_the_formula_says():
    b = Wavenet(width=12, hidden=10, skip=20, out=9, window=2, layers=4, cycles=2)
    layers, entry = 8, 2 * 12 * 12 + 12
    gates = layers * (2 * 12 * 2 * 10 + 2 * 10 + 10 * 20) + (layers - 1) * 10 * 12
    assert sum(p.numel() for p in b.body(True).parameters()) == entry + gates + 20 + 20 * 9 + 9


def test_without_a_future_to_hide_windows_are_centred():
    torch.manual_seed(0)
    body = Wavenet(width=4, skip=8, window=3, layers=2, cycles=1).body(False)
    states = torch.randn(1, 41, 4, requires_grad=True)
    out = body(Features(states, torch.ones(1, 41, dtype=torch.bool))).states
    (gradient,) = torch.autograd.grad(out[0, 20].square().sum(), states)
    seen = gradient[0].any(-1).nonzero().flatten().tolist()
    assert seen == list(range(20 - 4, 20 + 5))


def test_stages_are_all_of_it_but_a_bias():
    backbone = Wavenet.example()
    body = backbone.body(True)
    held = {id(p) for stage in backbone.stages(body) for p in stage.parameters()}
    assert [name for name, p in body.named_parameters() if id(p) not in held] == ["loudness"]
    assert len(backbone.stages(body)) == 1 + 2 + 1


@pytest.mark.parametrize("settings", [{"window": 1}, {"layers": 0}, {"layers": 21}, {"cycles": 0}, {"width": 0}])
def test_bad_settings(settings):
    with pytest.raises(BadSetting):
        Wavenet.parse(settings)
