"""Planes: against torch's own layers on each picture alone, with padding that holds anything."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn import planes
from zhuji.nn.planes import ConvNorm, Plane, PlaneNorm, Tiles

SIZES = ((5, 7), (8, 3), (1, 1), (6, 6))


def pictures(channels: int = 4) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, channels, *size) for size in SIZES]


def together(alone: list[Tensor], filling: float = 0.0) -> Features:
    """Rows of unequal size, the rest of the grid filled with anything."""
    high, wide = (max(one.shape[axis] for one in alone) + 2 for axis in (2, 3))
    states = torch.full((len(alone), high, wide, alone[0].shape[1]), filling)
    mask = torch.zeros(len(alone), high, wide, dtype=torch.bool)
    for row, one in enumerate(alone):
        states[row, : one.shape[2], : one.shape[3]] = one[0].permute(1, 2, 0)
        mask[row, : one.shape[2], : one.shape[3]] = True
    return Features(states, mask)


def rows_of(features: Features) -> list[Tensor]:
    """The real states of each row, unrolled."""
    return [states[mask] for states, mask in zip(features.states, features.mask, strict=True)]


def same(features: Features, expected: list[Tensor]) -> None:
    assert not features.states[~features.mask].any()
    for row, one in zip(rows_of(features), expected, strict=True):
        # Another shape lets the kernels add in another order.
        torch.testing.assert_close(row, one[0].permute(1, 2, 0).flatten(0, 1), rtol=1e-5, atol=1e-6)


def test_there_and_back_again_moves_nothing() -> None:
    features = together(pictures(), filling=torch.nan)
    plane = planes.opened(features)
    assert plane.states.is_contiguous(memory_format=torch.channels_last) and plane.states.isfinite().all()
    back = planes.closed(plane)
    assert torch.equal(back.mask, features.mask)
    assert torch.equal(back.states[features.mask], features.states[features.mask])
    whole = Features(torch.randn(2, 3, 4, 5), torch.ones(2, 3, 4, dtype=torch.bool))
    plane = planes.opened(whole)
    assert plane.padding is None and plane.states.data_ptr() == whole.states.data_ptr()
    assert torch.equal(planes.closed(plane).mask, whole.mask)


@pytest.mark.parametrize(("window", "stride"), [(3, 1), (3, 2), (1, 2), (7, 2)])
def test_a_convolution_sees_each_picture_alone(window: int, stride: int) -> None:
    layer = ConvNorm(4, 6, window, stride=stride).eval()
    nn.init.normal_(layer.norm.bias)
    nn.init.uniform_(layer.norm.running_mean)
    nn.init.uniform_(layer.norm.running_var, 0.5, 2.0)
    plain = nn.BatchNorm2d(6).eval()
    plain.load_state_dict({**plain.state_dict(), **layer.norm.state_dict()})
    expected = [plain(F.conv2d(one, layer.conv.weight, stride=stride, padding=window // 2)) for one in pictures()]
    plane = planes.opened(together(pictures(), filling=3.0))
    same(planes.closed(layer(plane)), expected)
    with torch.no_grad():  # where norm and convolution become one
        same(planes.closed(layer(plane)), expected)


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (2, 2)])
def test_pooling_sees_each_picture_alone(window: int, stride: int) -> None:
    alone = [one.abs() for one in pictures()]
    found = planes.closed(planes.highest(planes.opened(together(alone, filling=9.0)), window, stride))
    same(found, [F.max_pool2d(one, window, stride, window // 2 if window % 2 else 0, ceil_mode=window == 2) for one in alone])


def test_the_last_tiles_are_filled_up_with_zeros() -> None:
    layer = Tiles(4, 6, 3)
    found = planes.closed(layer(planes.opened(together(pictures(), filling=3.0))).zeroed())
    expected = [layer.conv(F.pad(one, (0, -one.shape[3] % 3, 0, -one.shape[2] % 3))) for one in pictures()]
    same(found, expected)


def test_layers_of_single_units() -> None:
    layer = nn.LayerNorm(4)
    nn.init.normal_(layer.bias)
    found = planes.closed(planes.by_unit(planes.opened(together(pictures(), filling=3.0)), layer))
    same(found, [layer(one.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for one in pictures()])


@pytest.mark.parametrize("padded", [False, True])
def test_statistics_are_those_of_real_units(padded: bool) -> None:
    """Against torch's norm over the real units of all rows, forwards, backwards and in what is remembered."""
    alone = pictures() if padded else [torch.randn(1, 4, 3, 5) for _ in range(3)]
    features = (
        together(alone, filling=7.0) if padded else Features(torch.cat(alone).permute(0, 2, 3, 1), torch.ones(3, 3, 5) > 0)
    )
    ours, theirs = PlaneNorm(4), nn.BatchNorm1d(4)
    states = features.states.clone().requires_grad_()
    found = ours(planes.opened(Features(states, features.mask)))
    real = features.states[features.mask].clone().requires_grad_()
    wanted = theirs(real)
    torch.testing.assert_close(planes.closed(found).states[features.mask], wanted)
    pull = torch.randn_like(wanted)
    (planes.closed(found).states[features.mask] * pull).sum().backward()
    (wanted * pull).sum().backward()
    assert states.grad is not None and real.grad is not None
    torch.testing.assert_close(states.grad[features.mask], real.grad)
    assert not states.grad[~features.mask].any()
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize("padding", [None, torch.tensor([False, True]).view(1, 1, 2)])
def test_a_single_unit_has_no_deviation(padding: Tensor | None) -> None:
    norm = PlaneNorm(3)
    states = torch.randn(1, 3, 1, 1 if padding is None else 2)
    plane = Plane(states, padding).zeroed()
    torch.testing.assert_close(norm(plane).states, plane.states * (1 + norm.eps) ** -0.5)
    assert not norm.running_mean.any() and torch.equal(norm.running_var, torch.ones(3))


def test_a_graph_that_is_written_out_serves_padded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    assert planes.opened(Features(torch.randn(2, 3, 4, 5), torch.ones(2, 3, 4, dtype=torch.bool))).padding is not None
