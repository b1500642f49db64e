"""Rows without what is not there: what is taken comes back to its place."""

from __future__ import annotations

import torch

from zhuji.nn.shortened import shortened


def test_there_and_back() -> None:
    mask = torch.tensor([[0, 1, 0, 1, 0], [1, 1, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
    states = torch.arange(1.0, 31.0).view(3, 5, 2)
    short = shortened(mask)
    assert short is not None and short.mask is not None
    assert short.mask.tolist() == [[True, True, False], [True, True, True], [False, False, False]]
    taken = short.take(states)
    assert torch.equal(taken[0, :2], states[0, [1, 3]]) and torch.equal(taken[1], states[1, [0, 1, 4]])
    assert torch.equal(short.put(taken), states * mask.unsqueeze(-1))


def test_equal_rows_need_no_mask() -> None:
    mask = torch.tensor([[0, 1, 1], [1, 0, 1]], dtype=torch.bool)
    short = shortened(mask)
    assert short is not None and short.mask is None
    states = torch.randn(2, 3, 4)
    assert torch.equal(short.put(short.take(states)), states * mask.unsqueeze(-1))


def test_nothing_to_leave_out() -> None:
    assert shortened(torch.ones(2, 3, dtype=torch.bool)) is None
    nobody = shortened(torch.zeros(2, 3, dtype=torch.bool))
    assert nobody is not None and nobody.order.shape == (2, 1)
    assert not nobody.put(nobody.take(torch.ones(2, 3, 4))).any()
