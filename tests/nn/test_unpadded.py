"""Leaving padding out changes no state of a real unit."""

from __future__ import annotations

import pytest
import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.units import Features
from zhuji.nn import unpadded as room
from zhuji.nn.attention import allowed, attend, biases
from zhuji.nn.unpadded import STEP, unpadded


def mask_of(*lengths: int, units: int = 40) -> torch.Tensor:
    return torch.arange(units) < torch.tensor(lengths)[:, None]


@pytest.fixture
def few(monkeypatch):
    """So that small batches count."""
    monkeypatch.setattr(room, "STEP", 1)


def body(**settings):
    torch.manual_seed(0)
    return Transformer(width=16, layers=2, heads=4, dropout=0.3, **settings)


@pytest.mark.parametrize("positions", ["rotary", "learned", "none"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("segmented", [False, True])
def test_a_transformer_gives_real_units_the_same_states(few, positions, causal, segmented):
    network = body(positions=positions, norm_place="post" if positions == "learned" else "pre", kv_heads=2).body(causal).eval()
    mask = mask_of(40, 3, 1, 17, 0, 9)
    segments = (torch.arange(40) // 5).expand(6, 40) if segmented else None
    states = torch.randn(6, 40, 16) * mask[..., None]
    whole = network(Features(states, mask, segments)).states  # gradients are on: padding stays
    with torch.no_grad():
        seen = []
        network.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
        alone = network(Features(states, mask, segments)).states
    assert seen == [(1, int(mask.sum()), 16)]
    torch.testing.assert_close(alone, whole, rtol=1e-5, atol=1e-5)
    assert not alone[mask.logical_not()].any()


def alone_heads(alone, heads):
    """`(B, H, T, E)` -> `(1, H, P, E)`."""
    return alone.take(heads.transpose(1, 2).flatten(2)).unflatten(-1, (heads.shape[1], heads.shape[3])).transpose(1, 2)


def test_attention_finds_its_rows_again():
    mask = mask_of(40, 3, 22)
    query, key, value = (torch.randn(3, 2, 40, 8) for _ in range(3))
    bias = biases(allowed(mask, causal=False))
    alone = unpadded(mask, bias)
    assert alone is None  # gradients are on
    with torch.no_grad():
        alone = unpadded(mask, bias)
        assert alone is not None
        assert alone.kept.shape == (72,)  # 65 real units, in steps of 8
        with torch.autocast("cpu", torch.bfloat16):
            coarse = unpadded(mask, bias)
        assert coarse is not None and coarse.kept.shape == (96,)
        got = alone.whole.rows(attend(*(alone_heads(alone, each) for each in (query, key, value)), alone))
        whole = attend(query, key, value, bias)
    torch.testing.assert_close(got.transpose(1, 2)[mask], whole.transpose(1, 2)[mask])


@pytest.mark.parametrize("causal", [False, True])
def test_short_rows_are_seen_apart(causal):
    mask = mask_of(40, 20, 3, 1, 17, 22)
    query, key, value = (torch.randn(6, 2, 40, 8) for _ in range(3))
    bias = biases(allowed(mask, causal=causal))
    with torch.no_grad():
        alone = unpadded(mask, bias)
        assert alone is not None
        assert [part.back.shape for part in alone.parts] == [(4, 20), (2, 40)]
        assert [part.bias.shape for part in alone.parts] == [(4, 1, 20 if causal else 1, 20), (2, 1, 40 if causal else 1, 40)]
        got = attend(*(alone_heads(alone, each) for each in (query, key, value)), alone)
    whole = alone_heads(alone, attend(query, key, value, bias))
    torch.testing.assert_close(got, whole)


def test_few_short_rows_are_seen_with_the_others():
    with torch.no_grad():
        for mask, shapes in ((mask_of(40, 3, 1, 17), [(4, 40)]), (mask_of(3, 20, 1, 17), [(4, 20)])):
            alone = unpadded(mask, biases(allowed(mask, causal=False)))
            assert alone is not None and [part.back.shape for part in alone.parts] == shapes


def test_it_is_left_where_it_costs_little_and_where_nothing_is_real():
    with torch.no_grad():
        for mask in (mask_of(40, 40), mask_of(40, 40, 36), mask_of(0, 0)):
            assert unpadded(mask, biases(allowed(mask, causal=False))) is None
        mask = mask_of(40, 1, 1, 1)
        alone = unpadded(mask, biases(allowed(mask, causal=False)))
    assert alone is not None
    assert len(alone.kept) % STEP == 0
    assert alone.kept[:43].tolist() == mask.flatten().nonzero()[:, 0].tolist()


def test_a_recorded_graph_serves_any_batch():
    """What a batch happens to hold may not be written into the graph."""
    network = body().body(False).eval()

    class Bare(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.network(Features(states, mask)).states

    with torch.no_grad():
        graph = torch.export.export(Bare(), (torch.randn(3, 40, 16), mask_of(40, 3, 5))).module()
        states, mask = torch.randn(3, 40, 16), mask_of(1, 2, 40)
        torch.testing.assert_close(graph(states, mask), Bare()(states, mask), rtol=1e-5, atol=1e-5)
