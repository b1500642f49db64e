import pytest
import torch
import torch.nn.functional as F

from zhuji.backbones.strided import Strided
from zhuji.core.units import Features


@pytest.mark.parametrize("side, left", [(28, 7), (32, 8), (5, 2), (1, 1)])
def test_each_stage_halves_the_grid(side: int, left: int) -> None:
    states = torch.randn(2, side, side, 3)
    out = Strided(widths=(4, 6)).body(False)(Features(states, torch.ones(2, side, side, dtype=torch.bool)))
    assert out.states.shape == (2, left, left, 6) and out.mask.shape == (2, left, left)


def test_it_is_convolutions_and_leaky_rectifiers() -> None:
    torch.manual_seed(0)
    strided = Strided(widths=(4, 6), slope=0.3)
    body, states = strided.body(False), torch.randn(2, 6, 6, 3)
    plane = states.permute(0, 3, 1, 2)
    for layer in strided.stages(body):
        assert isinstance(layer, torch.nn.Conv2d)
        plane = F.leaky_relu(F.conv2d(plane, layer.weight, layer.bias, stride=2, padding=1), 0.3)
    found = body(Features(states, torch.ones(2, 6, 6, dtype=torch.bool))).states
    torch.testing.assert_close(found, plane.permute(0, 2, 3, 1))
