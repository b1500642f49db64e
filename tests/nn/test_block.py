import pytest
import torch

from zhuji.nn.attention import allowed
from zhuji.nn.block import TransformerBlock, stacked


def block(**changes) -> TransformerBlock:
    settings = {"feedforward": "swiglu", "norms": "rms", "dropout": 0.0, **changes}
    return TransformerBlock(8, 2, 1, 12, **settings)


@pytest.mark.parametrize("norms", ["rms", "layer"])
def test_the_way_past_both_branches_is_open(norms):
    layer = block(norms=norms)
    for last in (layer.attention.out, layer.feedforward.fall):
        torch.nn.init.zeros_(last.weight)
    states, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    assert torch.equal(layer(states, allowed(mask, False)), states)


def test_dropout_falls_in_training_only():
    layer = block(dropout=0.5)
    states, mask = torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    may_see = allowed(mask, False)
    assert not torch.equal(layer(states, may_see), layer(states, may_see))
    layer.eval()
    assert torch.equal(layer(states, may_see), layer(states, may_see))


def test_post_norm_is_its_formula():
    torch.manual_seed(0)
    layer = block(place="post", norms="layer", eps=1e-12)
    states, may_see = torch.randn(2, 5, 8), allowed(torch.ones(2, 5, dtype=torch.bool), False)
    middle = layer.attention_norm(states + layer.attention(states, may_see))
    assert layer.attention_norm.eps == layer.feedforward_norm.eps == 1e-12
    torch.testing.assert_close(layer(states, may_see), layer.feedforward_norm(middle + layer.feedforward(middle)))


def test_more_blocks_begin_with_softer_branches():
    gains = list[float]()
    blocks = stacked(8, lambda gain: gains.append(gain) or block(gain=gain))
    assert len(blocks) == 8 and gains == [0.25] * 8
    stacked(4, lambda gain: gains.append(gain) or block(), branches=4)
    assert gains[-1] == 0.25
