"""Attention against its formula, written out as loops in float64."""

from __future__ import annotations

import math

import pytest
import torch

from zhuji.nn.attention import SelfAttention, allowed
from zhuji.nn.positions import Rotary, rotate

ROWS, UNITS, WIDTH, HEADS = 3, 5, 8, 4
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 0, 1]], dtype=torch.bool)

# float32 against float64: a state is a sum of some tens of products of order 1, so a few times 2^-23; the worst seen is 2e-7.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def by_hand(attention: SelfAttention, states: torch.Tensor, mask: torch.Tensor, causal: bool) -> torch.Tensor:
    """softmax(Q K^T / sqrt(E) + mask) V, one query and one head at a time."""
    layers = [getattr(attention, name).double() for name in ("query", "key", "value", "out")]
    query, key, value = (layer(states.double()) for layer in layers[:3])
    width = attention.head_dim
    mixed = torch.zeros(*mask.shape, attention.heads * width, dtype=torch.float64)
    for row, at, head in ((b, t, h) for b in range(len(mask)) for t in range(mask.shape[1]) for h in range(attention.heads)):
        shared = head * attention.kv_heads // attention.heads
        mine, theirs = slice(head * width, (head + 1) * width), slice(shared * width, (shared + 1) * width)
        seen = [s for s in range(mask.shape[1]) if mask[row, s] and (s <= at or not causal)]
        scores = [float(query[row, at, mine] @ key[row, s, theirs]) / math.sqrt(width) for s in seen]
        total = sum(math.exp(score) for score in scores)
        for s, score in zip(seen, scores):
            mixed[row, at, mine] += math.exp(score) / total * value[row, s, theirs]
    out = layers[3](mixed)
    attention.float()
    return out


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_is_its_formula(causal, kv_heads):
    torch.manual_seed(0)
    attention = SelfAttention(WIDTH, HEADS, kv_heads)
    states = torch.randn(ROWS, UNITS, WIDTH)
    with torch.no_grad():
        got = attention(states, allowed(MASK, causal))
        expected = by_hand(attention, states, MASK, causal)
    torch.testing.assert_close(got[MASK].double(), expected[MASK], **TOLERANCE)


def test_rotary_turns_pairs_as_complex_numbers():
    """Channel pair k at position p is multiplied by exp(i p 10000^(-2k/E)): Su et al. 2021, equation 15."""
    torch.manual_seed(0)
    states, position = torch.randn(2, 3, 4, 6, dtype=torch.float64), torch.tensor([[0, 1, 2, 3], [5, 0, 7, 90]])
    got = rotate(states.float(), *Rotary(6).angles(position))
    pairs = torch.complex(states[..., :3], states[..., 3:])
    angle = position[:, None, :, None].double() * 10_000.0 ** (-torch.arange(0, 6, 2).double() / 6)
    turned = pairs * torch.polar(torch.ones_like(angle), angle)
    # float32 angles: position 90 is known to 90 * 2^-24, so a turned channel to about 1e-5.
    torch.testing.assert_close(got.double(), torch.cat((turned.real, turned.imag), -1), rtol=0, atol=2e-5)


def test_rotary_scores_depend_on_the_distance_only():
    torch.manual_seed(0)
    rotary = Rotary(8)
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(at_query: int, at_key: int) -> float:
        turned = [rotate(s, *rotary.angles(torch.tensor([[p]]))) for s, p in ((query, at_query), (key, at_key))]
        return (turned[0] * turned[1]).sum().item()

    for distance in (0, 1, 7):
        scores = [score(at + distance, at) for at in (0, 3, 50)]
        assert scores == pytest.approx([scores[0]] * 3, abs=5e-5)
    assert abs(score(0, 0) - score(1, 0)) > 1e-3
