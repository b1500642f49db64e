"""Dropout: the share of zeros, the mean, the gradient, and that it is drawn by torch's generator alone."""

from __future__ import annotations

import pytest
import torch

from zhuji.nn.dropout import Dropout, RowDropout


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_share_and_scale(rate: float) -> None:
    torch.manual_seed(0)
    ones = torch.ones(1000, 1003)
    out = Dropout(rate).train()(ones)
    below = round(rate * 256)
    share = (out == 0).double().mean().item()
    # 4.5 deviations of a share over a million draws.
    assert share == pytest.approx(below / 256, abs=4.5 * (rate * (1 - rate) / out.numel()) ** 0.5)
    assert out.double().mean().item() == pytest.approx(1.0, abs=0.01)
    assert out.unique().tolist() == pytest.approx([0.0, 256 / (256 - below)])


def test_neighbours_are_independent() -> None:
    torch.manual_seed(1)
    kept = (Dropout(0.5).train()(torch.ones(8 * 50_000)) > 0).double()
    for lag in (1, 2, 3, 7, 8, 64):
        assert abs(torch.corrcoef(torch.stack((kept[:-lag], kept[lag:])))[0, 1]) < 0.01


def test_gradient_falls_where_the_state_stayed() -> None:
    torch.manual_seed(2)
    states = torch.randn(64, 9, requires_grad=True)
    out = Dropout(0.3).train()(states)
    out.sum().backward()
    assert states.grad is not None
    assert torch.equal(states.grad == 0, out == 0)


def test_quiet_when_evaluating_or_at_rate_zero() -> None:
    states = torch.randn(5, 5)
    assert Dropout(0.5).eval()(states) is states
    assert Dropout(0.0).train()(states) is states


def test_same_seed_same_zeros_and_low_precision_stays() -> None:
    states = torch.randn(17, 3).bfloat16()
    torch.manual_seed(3)
    first = Dropout(0.2).train()(states)
    torch.manual_seed(3)
    assert torch.equal(first, Dropout(0.2).train()(states)) and first.dtype == torch.bfloat16


def test_whole_rows_are_left_out() -> None:
    torch.manual_seed(3)
    out = RowDropout(0.25).train()(torch.ones(40_000, 2, 3)).flatten(1)
    assert torch.equal(out, out[:, :1].expand_as(out))
    # 4.5 deviations of a share over 40,000 draws.
    assert (out[:, 0] == 0).double().mean().item() == pytest.approx(0.25, abs=4.5 * (0.25 * 0.75 / 40_000) ** 0.5)
    assert out[:, 0].unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    states = torch.randn(4, 3)
    assert torch.equal(RowDropout(0.5).eval()(states), states) and torch.equal(RowDropout(0.0).train()(states), states)
