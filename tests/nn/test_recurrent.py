import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zhuji.nn.recurrent import Arrangement, RecurrentLayers


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=4)))
def test_an_arrangement_puts_real_units_in_front_and_can_be_undone(rows):
    mask = torch.tensor(rows)
    states = torch.arange(mask.numel(), dtype=torch.float32).view(*mask.shape, 1) + 1
    places = Arrangement(mask)
    for direction in (0, 1):
        arranged = places.arranged(states, direction)
        for row in range(len(mask)):
            real = states[row, mask[row], 0]
            expected = real.flip(0) if direction else real
            assert torch.equal(arranged[: len(real), row, 0], expected)
        assert torch.equal(places.put_back(arranged, direction), states)


def test_the_gradient_of_an_arrangement_is_right():
    places = Arrangement(torch.tensor([[True, False, True], [False, True, True]]))
    states = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    for direction in (0, 1):
        assert torch.autograd.gradcheck(lambda s, way=direction: places.arranged(s, way), states)
        assert torch.autograd.gradgradcheck(lambda s, way=direction: places.arranged(s, way), states)


def test_initial_weights():
    torch.manual_seed(0)
    layers = RecurrentLayers("lstm", 5, 8, layers=1, directions=1)
    cell = layers.layers[0][0]
    for gate in cell.weight_hh_l0.split(8):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=1e-5, atol=1e-5)
    assert cell.weight_ih_l0.abs().max() <= (6 / 13) ** 0.5
    assert (cell.bias_ih_l0 + cell.bias_hh_l0).tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16


@pytest.mark.parametrize("directions", [1, 2])
def test_dropout_stands_between_layers_only(directions):
    mask, states = torch.ones(2, 5, dtype=torch.bool), torch.randn(2, 5, 3)
    one = RecurrentLayers("gru", 3, 4, layers=1, directions=directions, dropout=0.5)
    assert torch.equal(one(states, mask), one(states, mask))
    two = RecurrentLayers("gru", 3, 4, layers=2, directions=directions, dropout=0.5)
    assert not torch.equal(two(states, mask), two(states, mask))
