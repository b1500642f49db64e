import torch
import torch.nn.functional as F

from zhuji.nn.feedforward import FeedForward


def test_gelu_is_its_formula():
    layer, x = FeedForward(3, 5), torch.randn(2, 4, 3)
    hidden = F.gelu(x @ layer.rise.weight.T + layer.rise.bias)
    torch.testing.assert_close(layer(x), hidden @ layer.fall.weight.T + layer.fall.bias)


def test_swiglu_is_its_formula():
    layer, x = FeedForward(3, 5, "swiglu"), torch.randn(2, 4, 3)
    gate = x @ layer.gate.weight.T
    hidden = gate * torch.sigmoid(gate) * (x @ layer.rise.weight.T)
    torch.testing.assert_close(layer(x), hidden @ layer.fall.weight.T)


def test_gain_quiets_the_last_layer():
    torch.manual_seed(0)
    loud, quiet = FeedForward(30, 50), FeedForward(30, 50, gain=0.1)
    assert quiet.fall.weight.std() < 0.2 * loud.fall.weight.std()


def test_gelu_tanh_is_its_formula():
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    layer, x = FeedForward(3, 5, "gelu_tanh"), torch.randn(2, 3)
    z = layer.rise(x)
    hidden = 0.5 * z * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (z + 0.044715 * z**3)))
    torch.testing.assert_close(layer(x), layer.fall(hidden))


def test_relu_is_its_formula():
    layer, x = FeedForward(3, 5, "relu"), torch.randn(2, 3)
    torch.testing.assert_close(layer(x), layer.fall(layer.rise(x).clamp_min(0)))


def test_without_biases():
    assert all(layer.bias is None for layer in FeedForward(3, 5, "swiglu", bias=False).children())


def test_deviation_makes_all_weights_normal():
    torch.manual_seed(0)
    for layer in FeedForward(60, 90, gain=0.1, deviation=0.02).children():
        assert abs(float(layer.weight.detach().std()) - 0.02) < 0.001
