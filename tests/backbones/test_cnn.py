import pytest
import torch

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.cnn import Cnn
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify

VARIANTS = [{"windows": (1,)}, {"windows": (2, 4), "blocks": 1}, {"windows": (5,), "blocks": 2, "dropout": 0.2}]


@pytest.mark.parametrize("settings", VARIANTS)
def test_promises(settings):
    backbone = Cnn.parse({"width": 6, "channels": 5, **settings})
    cell = Cell.of(Text.example(), backbone, Classify.example())
    for promise in properties.EVERY:
        promise(cell)
    properties.sees_no_future(Cell.of(Text.example(), backbone, doubles.Next.example()))


def test_each_window_has_its_filters_and_they_are_rectified():
    backbone = Cnn(width=4, windows=(2, 3), channels=5)
    out = backbone.body(False)(Features(torch.randn(2, 7, 4), torch.ones(2, 7, dtype=torch.bool)))
    assert out.states.shape == (2, 7, 10)
    assert (out.states >= 0).all()


def test_blocks_widen_the_view():
    def reach(blocks: int) -> int:
        torch.manual_seed(0)
        body = Cnn(width=3, windows=(1,), channels=6, blocks=blocks).body(False)
        states = torch.randn(1, 41, 3, requires_grad=True)
        out = body(Features(states, torch.ones(1, 41, dtype=torch.bool))).states
        (gradient,) = torch.autograd.grad(out[0, 20].square().sum(), states)
        return int(gradient[0].any(-1).sum())

    assert [reach(blocks) for blocks in (0, 1, 2)] == [1, 5, 13]


@pytest.mark.parametrize("windows", [(), (0,)])
def test_bad_windows(windows):
    with pytest.raises(BadSetting):
        Cnn.parse({"windows": windows})
