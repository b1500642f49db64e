from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from zhuji.backbones.convnext_1d import Convnext1d
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features


def features(rows: int = 2, units: int = 9, width: int = 8) -> Features:
    states = torch.randn(rows, units, width, generator=torch.Generator().manual_seed(0))
    return Features(states, torch.ones(rows, units, dtype=torch.bool))


def test_it_is_what_vocos_writes_down() -> None:
    """Siuzdak 2023, as the published code computes it: embedding, norm, blocks, norm."""
    torch.manual_seed(0)
    body, given = Convnext1d.example().body(False), features()
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.normal_(0, 0.5)

    def convolved(layer: torch.nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
        return F.conv1d(x.transpose(1, 2), layer.weight, layer.bias, padding=1, groups=layer.groups).transpose(1, 2)

    def normed(layer: torch.nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, (8,), layer.weight, layer.bias, 1e-6)

    x = normed(body.first, convolved(body.entry.conv, given.states))
    for block in body.blocks:
        y = normed(block.norm, convolved(block.depthwise.conv, x))
        y = block.feedforward.fall(F.gelu(block.feedforward.rise(y)))
        x = x + block.scale * y
    torch.testing.assert_close(body(given).states, normed(body.last, x), atol=1e-5, rtol=1e-5)


def test_stages_hold_everything_once_and_scales_begin_as_asked() -> None:
    body = Convnext1d(width=8, layers=4).body(False)
    held = [id(p) for stage in Convnext1d.example().stages(body) for p in stage.parameters()]
    assert sorted(held) == sorted(id(p) for p in body.parameters())
    assert all(bool((block.scale == 0.25).all()) for block in body.blocks)
    assert Convnext1d(width=8).body(False).blocks[0].feedforward.rise.out_features == 24


def test_what_no_network_has_is_refused() -> None:
    for wrong in ({"layers": 0}, {"window": 0}, {"scale": 0}):
        with pytest.raises(BadSetting):
            Convnext1d.parse(wrong, "backbone")
