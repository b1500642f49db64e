import torch
import torch.nn.functional as F

from zhuji.nn.attention import allowed, biases
from zhuji.nn.conformer import ConformerBlock, ConvolutionModule
from zhuji.nn.positions import Rotary, positions

DIM, WINDOW = 8, 5


def rows(lengths=(9, 4)):
    torch.manual_seed(0)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), max(lengths), DIM), mask


def test_the_convolution_is_that_of_the_paper():
    """Written out in torch's own layers, as figure 2 has them (with layer norm)."""
    states, mask = rows((9,))
    module = ConvolutionModule(DIM, WINDOW)
    value, gate = module.gate(states).chunk(2, -1)
    heard = F.conv1d((value * gate.sigmoid()).mT, module.filter.conv.weight, module.filter.conv.bias, padding=2, groups=DIM).mT
    normal = F.layer_norm(heard, (DIM,), module.norm.weight, module.norm.bias)
    torch.testing.assert_close(module(states, mask), module.out(normal * normal.sigmoid()))
    assert module.filter.conv.weight.shape == (DIM, 1, WINDOW)


def block_of(states, mask, *, causal=False):
    torch.manual_seed(1)
    block = ConformerBlock(DIM, 2, 12, WINDOW, causal=causal, dropout=0.0).eval()
    return block, block(states, mask, biases(allowed(mask, causal)), Rotary(DIM // 2).angles(positions(mask)))


def test_a_block_is_two_halves_around_attention_and_convolution():
    states, mask = rows()
    block, found = block_of(states, mask)
    angles = Rotary(DIM // 2).angles(positions(mask))
    x = states + 0.5 * block.first(block.first_norm(states))
    x = x + block.attention(block.attention_norm(x), allowed(mask, False), angles)
    x = x + block.convolution(block.convolution_norm(x), mask)
    x = x + 0.5 * block.second(block.second_norm(x))
    torch.testing.assert_close(found[mask], block.norm(x)[mask])
    assert torch.allclose(found.mean(-1), torch.zeros(2, 9), atol=1e-6)


def test_what_is_written_into_padding_reaches_nobody():
    states, mask = rows()
    scribbled = torch.where(mask[..., None], states, 9.0)
    torch.testing.assert_close(block_of(scribbled, mask)[1][mask], block_of(states, mask)[1][mask])
    alone = block_of(states[1:, :4], mask[1:, :4])[1]
    torch.testing.assert_close(alone[0], block_of(states, mask)[1][1, :4])


def test_a_causal_block_sees_no_future():
    states, mask = rows((9,))
    states.requires_grad_()
    found = block_of(states, mask, causal=True)[1]
    (slope,) = torch.autograd.grad(found[:, 4].square().sum(), states)
    assert slope[:, :5].any(-1).all() and not slope[:, 5:].any()
