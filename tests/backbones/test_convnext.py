"""ConvNeXt: sizes as published, and the numbers of an independent network with the same weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.convnext import Convnext
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.nn.heads import PooledHead
from zhuji.tasks.classify import Classify

TINY = {"blocks": (2, 1), "widths": (4, 6), "patch": 2, "window": 3, "scale": 0.5}


@pytest.mark.parametrize("settings", [{}, {"patch": 1, "window": 5}])
def test_promises(settings) -> None:
    cell = Cell.of(doubles.Picture.example(), Convnext.parse({**TINY, **settings}), Classify.example())
    for promise in properties.EVERY:
        promise(cell)


@pytest.mark.parametrize(
    ("width", "blocks", "millions"),
    [
        (40, (2, 2, 6, 2), 3.7),
        (48, (2, 2, 6, 2), 5.2),
        (64, (2, 2, 6, 2), 9.0),
        (80, (2, 2, 8, 2), 15.6),
        (96, (3, 3, 9, 3), 28.6),
    ],
    ids=["atto", "femto", "pico", "nano", "tiny"],
)
def test_sizes_as_published(width: int, blocks, millions: float) -> None:
    """Tiny: Liu et al. 2022, table 12, in millions (28.6); the smaller ones as `timm` has them (its table of results: 3.70, 5.22, 9.05, 15.59)."""
    backbone = Convnext(blocks=blocks, widths=(width, 2 * width, 4 * width, 8 * width))
    with torch.device("meta"):
        parts = backbone.body(False), PooledHead(backbone.out_width, 1000)
    assert round(sum(p.numel() for part in parts for p in part.parameters()) / 1e6, 1) == millions


def test_numbers_of_the_paper() -> None:
    torch.manual_seed(0)
    backbone = Convnext.parse(TINY)
    body = backbone.body(False).eval()
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    weights = body.state_dict()

    def norm(x, name):
        numbers = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], *numbers, eps=1e-6).permute(0, 3, 1, 2)

    states = torch.randn(2, 3, 12, 8)
    x = states
    for stage, count in enumerate(backbone.blocks):
        entry = f"entries.{stage}"
        x = norm(x, f"{entry}.norm") if stage else x
        x = F.conv2d(x, weights[f"{entry}.tiles.conv.weight"], weights[f"{entry}.tiles.conv.bias"], stride=2)
        x = x if stage else norm(x, f"{entry}.norm")
        for number in range(count):
            name = f"stages.{stage}.{number}"
            kernel = weights[f"{name}.depthwise.weight"]
            y = norm(F.conv2d(x, kernel, weights[f"{name}.depthwise.bias"], padding=1, groups=len(kernel)), f"{name}.norm")
            for part in ("rise", "fall"):
                matrix = weights[f"{name}.feedforward.{part}.weight"][:, :, None, None]
                y = F.conv2d(y, matrix, weights[f"{name}.feedforward.{part}.bias"])
                y = F.gelu(y) if part == "rise" else y
            x = x + y * weights[f"{name}.scale"][:, None, None]
    out = body(Features(states.permute(0, 2, 3, 1), torch.ones(2, 12, 8, dtype=torch.bool)))
    # Another memory layout adds in another order.
    torch.testing.assert_close(out.states.permute(0, 3, 1, 2), norm(x, "norm"), rtol=1e-4, atol=1e-5)


def test_rows_are_dropped_more_often_the_deeper_the_block() -> None:
    backbone = Convnext.parse({**TINY, "row_dropout": 0.3})
    rates = [module.rate for module in backbone.body(False).modules() if type(module).__name__ == "RowDropout"]
    assert rates == pytest.approx([0.1, 0.2, 0.3])
    assert backbone.drops and not Convnext.parse(TINY).drops


def test_stages_hold_everything_once() -> None:
    backbone = Convnext.example()
    body = backbone.body(False)
    held = [id(parameter) for stage in backbone.stages(body) for parameter in stage.parameters()]
    assert sorted(held) == sorted(id(parameter) for parameter in body.parameters())


@pytest.mark.parametrize("settings", [{"window": 4}, {"blocks": (1,)}, {"scale": 0.0}])
def test_bad_settings(settings) -> None:
    with pytest.raises(BadSetting):
        Convnext.parse(settings)
