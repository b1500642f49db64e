"""The transformer block against torch's encoder layer with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zhuji.nn.attention import allowed
from zhuji.nn.block import TransformerBlock

WIDTH, HEADS, HIDDEN = 16, 4, 24


def twins(kind: str, place: str) -> tuple[TransformerBlock, nn.TransformerEncoderLayer]:
    torch.manual_seed(0)
    ours = TransformerBlock(WIDTH, HEADS, None, HIDDEN, feedforward=kind, norms="layer", dropout=0.0, place=place)
    theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.0, kind, batch_first=True, norm_first=place == "pre")
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    a = ours.attention
    key_bias = torch.zeros(WIDTH)  # ours has none: a softmax does not notice it
    theirs.self_attn.in_proj_weight.data = torch.cat([a.query.weight, a.key.weight, a.value.weight]).data.clone()
    theirs.self_attn.in_proj_bias.data = torch.cat([a.query.bias, key_bias, a.value.bias]).data.clone()
    pairs = [
        (theirs.self_attn.out_proj, a.out), (theirs.norm1, ours.attention_norm), (theirs.norm2, ours.feedforward_norm),
        (theirs.linear1, ours.feedforward.rise), (theirs.linear2, ours.feedforward.fall),
    ]  # fmt: skip
    for their, our in pairs:
        their.load_state_dict(our.state_dict())
    return ours, theirs


@pytest.mark.parametrize("kind, place", [("gelu", "pre"), ("gelu", "post"), ("relu", "post")])
@pytest.mark.parametrize("causal", [False, True])
def test_equal_to_torch(causal, kind, place):
    ours, theirs = twins(kind, place)
    mask = torch.arange(7) < torch.tensor([7, 3, 5])[:, None]
    one = torch.randn(3, 7, WIDTH).requires_grad_()
    other = one.detach().clone().requires_grad_()
    future = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    got = ours(one, allowed(mask, causal))
    expected = theirs(other, src_mask=future, src_key_padding_mask=~mask)
    # float32 both: sums of some tens of products of order 1 in another order; the worst seen is 2e-6.
    torch.testing.assert_close(got[mask], expected[mask], rtol=1e-5, atol=1e-5)
    got[mask].square().sum().backward()
    expected[mask].square().sum().backward()
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4)
