"""What is taken away is not seen, and what restores it sees all that is left."""

from __future__ import annotations

import torch

from zhuji.core.units import Features, Units
from zhuji.nn.chance import Places
from zhuji.nn.restoring import Restorer, without

MASK = torch.tensor([[[1, 1, 1], [1, 1, 0]], [[1, 1, 0], [0, 0, 0]]], dtype=torch.bool)
PLACES = Places(torch.tensor([[4, 0], [1, 5]]), torch.tensor([[True, True], [True, False]]))


def test_units_are_taken_away_as_if_they_were_padding() -> None:
    states = torch.randn(2, 2, 3, 4)
    found = without(Features(states, MASK), PLACES)
    assert found.mask.tolist() == [[[False, True, True], [True, False, False]], [[True, False, False], [False, False, False]]]
    assert torch.equal(found.states, states * found.mask.unsqueeze(-1))


def test_blanks_stand_where_nothing_was_encoded() -> None:
    torch.manual_seed(0)
    restorer = Restorer(4, 8, 2, 2)
    left = without(Features(torch.randn(2, 2, 3, 4), MASK), PLACES)
    out = restorer(left, Units(MASK, values=torch.zeros(2, 2, 3, 1)))
    assert out.shape == (2, 2, 3, 8)
    # What is written where nothing was encoded, or into padding, is not read.
    scribbled = left.states + (~left.mask).unsqueeze(-1) * 9.0
    again = restorer(Features(scribbled, left.mask), Units(MASK))
    torch.testing.assert_close(again[MASK], out[MASK], rtol=1e-6, atol=1e-6)
    # Two blanks of a row differ by where they stand.
    assert not torch.allclose(out[0, 0, 0], out[0, 1, 1])
    # Every unit that was encoded matters to every blank.
    leaf = left.states.clone().requires_grad_()
    out = restorer(Features(leaf, left.mask), Units(MASK))
    (gradient,) = torch.autograd.grad(out[0, 1, 1].square().sum(), leaf)
    assert gradient[0][left.mask[0]].any(-1).all() and not gradient[1].any()


def test_documents_of_a_row_do_not_see_each_other() -> None:
    restorer = Restorer(4, 8, 1, 2)
    mask = torch.ones(1, 4, dtype=torch.bool)
    segments = torch.tensor([[0, 0, 1, 1]])
    leaf = torch.randn(1, 4, 4, requires_grad=True)
    out = restorer(Features(leaf, mask), Units(mask, segments=segments))
    (gradient,) = torch.autograd.grad(out[0, 0].square().sum(), leaf)
    assert gradient[0, :2].any(-1).all() and not gradient[0, 2:].any()
