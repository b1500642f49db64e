import math

import pytest
import torch

from zhuji.nn.layers import elementwise, embedding, laid_by_columns, linear, norm, zeroed


def test_linear_starts_as_glorot_says():
    torch.manual_seed(0)
    layer, quiet = linear(300, 100), linear(300, 100, gain=0.1)
    bound = math.sqrt(6 / 400)
    assert layer.weight.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert quiet.weight.std().item() == pytest.approx(0.1 * bound / math.sqrt(3), rel=0.02)
    assert not layer.bias.any()
    assert linear(2, 3, bias=False).bias is None


def test_embedding_rows_have_length_one_on_average_and_padding_stays_zero():
    torch.manual_seed(0)
    table = embedding(500, 64, padding=0)
    assert table.weight[1:].square().sum(1).mean().item() == pytest.approx(1.0, rel=0.02)
    table(torch.tensor([0, 0, 3])).sum().backward()
    assert not table.weight[0].any()
    assert not table.weight.grad[0].any()
    assert table.weight.grad[3].any()


def test_norms_are_their_formulas():
    x = torch.tensor([[3.0, -4.0, 0.0, 5.0]])
    rms = x / math.sqrt((9 + 16 + 25) / 4)
    torch.testing.assert_close(norm("rms", 4)(x), rms)
    layer = (x - 1.0) / math.sqrt(((3 - 1) ** 2 + 25 + 1 + 16) / 4 + 1e-5)
    torch.testing.assert_close(norm("layer", 4)(x), layer)


def test_zeroed_removes_even_what_is_not_a_number():
    states = torch.tensor([[[1.0], [math.nan], [math.inf]]])
    assert zeroed(states, torch.tensor([[True, False, False]])).flatten().tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "name, at_minus_one, at_two",
    [
        ("relu", 0.0, 2.0),
        ("leaky_relu", -0.01, 2.0),
        ("elu", math.exp(-1) - 1, 2.0),
        ("selu", 1.0507009873554805 * 1.6732632423543772 * (math.exp(-1) - 1), 2.0 * 1.0507009873554805),
        ("gelu", -0.5 * (1 + math.erf(-1 / math.sqrt(2))), 1 + math.erf(2 / math.sqrt(2))),
        ("silu", -1 / (1 + math.e), 2 / (1 + math.exp(-2))),
        ("tanh", math.tanh(-1), math.tanh(2)),
        ("sigmoid", 1 / (1 + math.e), 1 / (1 + math.exp(-2))),
        ("softplus", math.log1p(math.exp(-1)), math.log1p(math.exp(2))),
        ("identity", -1.0, 2.0),
    ],
)
def test_activations_are_their_formulas(name, at_minus_one, at_two):
    got = elementwise(name)(torch.tensor([-1.0, 2.0]))
    torch.testing.assert_close(got, torch.tensor([at_minus_one, at_two]))


def test_weights_laid_by_columns_are_the_same_numbers_and_shared_tables_stay():
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.out, self.free = torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7), torch.nn.Linear(4, 3)
            self.out.weight = self.table.weight

    network, x = Tied(), torch.randn(5, 4)
    before = network.free(x)
    laid_by_columns(network)
    torch.testing.assert_close(network.free(x), before)
    assert network.free.weight.t().is_contiguous() and not network.free.weight.is_contiguous()
    assert network.out.weight is network.table.weight and network.table.weight.is_contiguous()
