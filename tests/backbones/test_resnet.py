"""Residual networks: sizes as published, and the numbers of an independent network with the same weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.resnet import Resnet
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.nn.heads import PooledHead
from zhuji.tasks.classify import Classify

WIDE = (64, 128, 256, 512)
VARIANTS = [
    {"shortcut": "pad"},
    {"block": "bottleneck", "stem_channels": 5},
    {"stem": "large", "blocks": (2, 1)},
    {"stem": "large", "block": "bottleneck", "shortcut": "pad", "stem_channels": 3},
]


def size(backbone: Resnet, classes: int) -> int:
    with torch.device("meta"):
        parts = backbone.body(False), PooledHead(backbone.out_width, classes)
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


@pytest.mark.parametrize("settings", VARIANTS)
def test_promises(settings) -> None:
    backbone = Resnet.parse({"blocks": (1, 1), "widths": (4, 6), **settings})
    cell = Cell.of(doubles.Picture.example(), backbone, Classify.example())
    for promise in properties.EVERY:
        promise(cell)


@pytest.mark.parametrize(
    ("n", "millions", "exact"),
    [(3, 0.27, 269_722), (5, 0.46, 464_154), (7, 0.66, 658_586), (9, 0.85, 853_018), (18, 1.7, 1_727_962)],
)
def test_small_pictures_as_published(n: int, millions: float, exact: int) -> None:
    """He et al. 2016, table 6, in millions; the whole numbers are 9 (3 · 16 + …) written out by hand for option A."""
    by_hand = 9 * 3 * 16 + 2 * 16 + 64 * 10 + 10
    for width, before in ((16, 16), (32, 16), (64, 32)):
        by_hand += 9 * width * (before + (2 * n - 1) * width) + 2 * n * 2 * width
    assert size(Resnet(blocks=(n, n, n), shortcut="pad"), 10) == by_hand == exact
    assert round(exact / 1e6, 2 if millions < 1 else 1) == millions


@pytest.mark.parametrize(
    ("blocks", "block", "exact"),
    [
        ((2, 2, 2, 2), "basic", 11_689_512),
        ((3, 4, 6, 3), "basic", 21_797_672),
        ((3, 4, 6, 3), "bottleneck", 25_557_032),
        ((3, 4, 23, 3), "bottleneck", 44_549_160),
        ((3, 8, 36, 3), "bottleneck", 60_192_808),
    ],
)
def test_large_pictures_as_published(blocks, block, exact: int) -> None:
    """The networks of He et al. 2016, table 1, of which the paper gives operations only; parameters as torchvision's documentation lists
    them for ResNet-18, -34, -50, -101 and -152."""
    assert size(Resnet.parse({"blocks": blocks, "block": block, "widths": WIDE, "stem": "large"}), 1000) == exact


def reference(states: Tensor, weights: dict[str, Tensor], resnet: Resnet) -> Tensor:
    """The paper's network in plain functions, `(B, C, H, W)` in and out."""

    def layer(x: Tensor, name: str, stride: int) -> Tensor:
        kernel, norm = weights[f"{name}.conv.weight"], f"{name}.norm."
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        numbers = [weights[norm + leaf] for leaf in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *numbers)

    x = F.relu(layer(states, "entry.layer", 2 if resnet.stem == "large" else 1))
    if resnet.stem == "large":
        x = F.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate(resnet.blocks):
        for number in range(count):
            name, stride = f"stages.{stage}.{number}", 2 if stage and not number else 1
            steps = (1, stride, 1) if resnet.block == "bottleneck" else (stride, 1)
            y = x
            for place, step in enumerate(steps):
                y = layer(y, f"{name}.layers.{place}", step)
                y = y if place == len(steps) - 1 else F.relu(y)
            if f"{name}.project.conv.weight" in weights:
                x = layer(x, f"{name}.project", stride)
            else:
                x = x[:, :, ::stride, ::stride]
                x = torch.cat((x, x.new_zeros(len(x), y.shape[1] - x.shape[1], *x.shape[2:])), 1)
            x = F.relu(x + y)
    return x


@pytest.mark.parametrize("settings", VARIANTS)
def test_numbers_of_the_paper(settings) -> None:
    torch.manual_seed(0)
    backbone = Resnet.parse({"blocks": (2, 1), "widths": (4, 6), **settings})
    body = backbone.body(False).eval()
    with torch.no_grad():
        for parameter in body.buffers():
            parameter.uniform_(0.5, 1.5)
        for parameter in body.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    states = torch.randn(2, 3, 18, 13)
    found = body(Features(states.permute(0, 2, 3, 1), torch.ones(2, 18, 13, dtype=torch.bool)))
    expected = reference(states, body.state_dict(), backbone)
    # Another memory layout adds in another order; the worst seen is 2e-6.
    torch.testing.assert_close(found.states.permute(0, 3, 1, 2), expected, rtol=1e-4, atol=1e-5)


def test_a_stage_halves_the_grid() -> None:
    body = Resnet(blocks=(1, 1, 1)).body(False)
    out = body(Features(torch.randn(2, 32, 31, 3), torch.ones(2, 32, 31, dtype=torch.bool)))
    assert out.states.shape == (2, 8, 8, 64) and out.mask.all()
    large = Resnet(blocks=(1, 1, 1, 1), widths=(2, 2, 2, 2), stem="large").body(False)
    assert large(Features(torch.randn(1, 224, 160, 3), torch.ones(1, 224, 160, dtype=torch.bool))).states.shape == (1, 7, 5, 2)


def test_stages_hold_everything_once() -> None:
    backbone = Resnet(blocks=(2, 1), widths=(4, 6))
    body = backbone.body(False)
    held = [id(parameter) for stage in backbone.stages(body) for parameter in stage.parameters()]
    assert sorted(held) == sorted(id(parameter) for parameter in body.parameters())
    assert len(backbone.stages(body)) == 4


@pytest.mark.parametrize(
    "settings", [{"blocks": (1, 1)}, {"blocks": ()}, {"shortcut": "pad", "widths": (8, 4, 4)}, {"blocks": (0, 1, 1)}]
)
def test_bad_settings(settings) -> None:
    with pytest.raises(BadSetting):
        Resnet.parse(settings)
