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
