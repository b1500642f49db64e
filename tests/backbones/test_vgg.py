"""VGG: sizes as published, and the numbers of an independent network with the same weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.vgg import Vgg
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.nn.heads import PooledHead
from zhuji.tasks.classify import Classify

LAYERS = {"A": (1, 1, 2, 2, 2), "B": (2, 2, 2, 2, 2), "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}


@pytest.mark.parametrize("settings", [{"dense": 0}, {"layout": "B", "dense": 5, "window": 1}])
def test_promises(settings) -> None:
    cell = Cell.of(doubles.Picture.example(), Vgg.parse({"width": 2, "dropout": 0.0, **settings}), Classify.example())
    for promise in properties.EVERY:
        promise(cell)


@pytest.mark.parametrize(("layout", "layers", "millions"), [("A", 11, 133), ("B", 13, 133), ("D", 16, 138), ("E", 19, 144)])
def test_sizes_as_published(layout, layers: int, millions: int) -> None:
    """Simonyan & Zisserman 2015, table 2, in millions. Norms instead of biases add 0.003 to 0.006 of a million."""
    backbone = Vgg(layout=layout, dense=4096)
    with torch.device("meta"):
        parts = backbone.body(False), PooledHead(backbone.out_width, 1000)
    numbers = [parameter for part in parts for parameter in part.parameters()]
    assert round(sum(number.numel() for number in numbers) / 1e6) == millions
    assert sum(number.ndim > 1 for number in numbers) == layers


@pytest.mark.parametrize("layout", list(LAYERS))
def test_numbers_of_the_paper(layout) -> None:
    torch.manual_seed(0)
    body = Vgg(layout=layout, width=2, dense=6, window=2).body(False).eval()
    for buffer in body.buffers():
        torch.nn.init.uniform_(buffer, 0.5, 1.5)
    weights = body.state_dict()
    states = torch.randn(2, 3, 64, 64)
    x = states
    for stage, count in enumerate(LAYERS[layout]):
        for number in range(count):
            name = f"stages.{stage}.{number}"
            x = F.conv2d(x, weights[f"{name}.conv.weight"], padding=1)
            leaves = ("running_mean", "running_var", "weight", "bias")
            x = F.relu(F.batch_norm(x, *(weights[f"{name}.norm.{leaf}"] for leaf in leaves)))
        x = F.max_pool2d(x, 2)
    # The first fully connected layer reads all 2 x 2 cells of a picture of 64 pixels, channel by channel.
    x = F.relu(F.linear(x.flatten(1), weights["dense.first.conv.weight"].flatten(1), weights["dense.first.conv.bias"]))
    x = F.relu(F.linear(x, weights["dense.second.weight"].flatten(1), weights["dense.second.bias"]))
    out = body(Features(states.permute(0, 2, 3, 1), torch.ones(2, 64, 64, dtype=torch.bool)))
    assert out.states.shape == (2, 1, 1, 6)
    # Another memory layout adds in another order.
    torch.testing.assert_close(out.states[:, 0, 0], x, rtol=1e-4, atol=1e-6)


def test_only_dense_layers_drop() -> None:
    assert Vgg(dense=8).drops and not Vgg().drops and not Vgg(dense=8, dropout=0.0).drops


def test_stages_hold_everything_once() -> None:
    backbone = Vgg.example()
    body = backbone.body(False)
    held = [id(parameter) for stage in backbone.stages(body) for parameter in stage.parameters()]
    assert sorted(held) == sorted(id(parameter) for parameter in body.parameters())


@pytest.mark.parametrize("settings", [{"layout": "C"}, {"width": 0}, {"window": 0}])
def test_bad_settings(settings) -> None:
    with pytest.raises(BadSetting):
        Vgg.parse(settings)
