"""Asking for one unit of each row changes nothing of that unit, and computes no other in the last layer."""

from __future__ import annotations

import pytest
import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.units import Batch, Features, Units
from zhuji.model.assembly import Model
from zhuji.nn import unpadded as room
from zhuji.nn.heads import Pooling, first_real, last_real, one_of
from zhuji.tasks.classify import Classify

LENGTHS = (40, 3, 1, 17, 0, 9)


def mask_of(leading: bool) -> torch.Tensor:
    """Padding ahead of the real units, or behind them."""
    mask = torch.arange(40) < torch.tensor(LENGTHS)[:, None]
    return mask.flip(1) if leading else mask


@pytest.mark.parametrize("kind", ["first", "last"])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("segmented", [False, True])
@pytest.mark.parametrize("learning", [False, True], ids=["answering", "learning"])
def test_the_state_that_is_asked_for_is_that_of_all(monkeypatch, kind, positions, causal, segmented, learning):
    monkeypatch.setattr(room, "STEP", 1)
    torch.manual_seed(0)
    settings = Transformer(width=16, layers=2, heads=4, kv_heads=2, dropout=0.0, positions=positions,
                           norm_place="post" if positions == "learned" else "pre")  # fmt: skip
    body, pool = settings.body(causal), Pooling(kind, 16)
    for name, parameter in body.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    segments = (torch.arange(40) // 5).expand(6, 40) if segmented else None
    given = Features(torch.randn(6, 40, 16), mask_of(kind == "last"), segments)
    seen: list[torch.Size] = []
    body.blocks[-1].feedforward.register_forward_pre_hook(lambda _, states: seen.append(states[0].shape))
    with torch.set_grad_enabled(learning):
        whole, one = pool(body(given)), body(given, one=one_of(kind))
    assert one.states.shape == (6, 1, 16)
    assert seen[-1] == (6, 1, 16)
    assert one.mask[:, 0].tolist() == [length > 0 for length in LENGTHS]
    torch.testing.assert_close(pool(one), whole, rtol=1e-5, atol=1e-6)


def test_what_is_learned_is_the_same():
    torch.manual_seed(0)
    body = Transformer(width=16, layers=2, heads=4, dropout=0.0).body(causal=False)
    given = Features(torch.randn(6, 40, 16), mask_of(False))
    gradients = []
    for one in (None, first_real):
        body.zero_grad()
        Pooling("first", 16)(body(given, one=one)).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in body.parameters()])
    for whole, alone in zip(*gradients, strict=True):
        torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("pool", "units"), [("first", 1), ("last", 1), ("mean", 7)])
def test_a_task_asks_for_what_its_head_reads(pool, units):
    from zhuji.modalities.text import Text

    modality, _ = Text.example()
    model = Model(
        modality, Transformer(width=16, layers=2, heads=4, dropout=0.0), Classify(pool=pool).fit(Classify.example().records)
    ).eval()
    seen: list[torch.Size] = []
    model.head.register_forward_pre_hook(lambda _, given: seen.append(given[0].states.shape))
    mask = torch.arange(7) < torch.tensor([7, 4])[:, None]
    model.outputs(Batch(Units(mask, ids=torch.ones(2, 7, dtype=torch.long))))
    assert seen == [(2, units, 16)]


def test_other_poolings_read_more_than_one_unit():
    assert one_of("first") is first_real
    assert one_of("last") is last_real
    assert {one_of(kind) for kind in ("mean", "max", "mean_max", "ends", "attention", "summary")} == {None}


def test_keys_and_values_are_spared_where_that_changes_nothing(monkeypatch):
    """Only in plain inference: an adapter, a gradient, a graph and coarser numbers see every product."""
    torch.manual_seed(0)
    body = Transformer(width=16, layers=2, heads=4, kv_heads=2, key_bias=True, positions="learned", dropout=0.0).body(
        causal=False
    )
    attention = body.blocks[-1].attention
    for part in (attention.key, attention.value):
        torch.nn.init.normal_(part.bias)
    made: list[str] = []
    attention.key.register_forward_hook(lambda *_: made.append("key"))
    attention.value.register_forward_hook(lambda *_: made.append("value"))
    given = Features(torch.randn(6, 40, 16), mask_of(False))
    whole = body(given, one=first_real).states
    assert made == ["key", "value"]
    with torch.no_grad():
        spared = body(given, one=first_real).states
        assert made == ["key", "value"]
        torch.testing.assert_close(spared, whole, rtol=1e-5, atol=1e-6)
        with torch.autocast("cpu", torch.bfloat16):
            body(given, one=first_real)
        assert len(made) == 4
        attention.value = Adapted(attention.value)
        body(given, one=first_real)
        assert made[4:] == ["key", "value"]


@pytest.mark.parametrize("causal", [False, True])
def test_a_recorded_graph_serves_any_batch_and_any_length(causal):
    class Bare(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = Transformer(width=16, layers=2, heads=4, dropout=0.0, positions="learned").body(causal).eval()

        def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.body(Features(states, mask), one=first_real).states

    bare, rows, units = Bare(), torch.export.Dim("rows", min=1, max=64), torch.export.Dim("units", min=1, max=128)
    with torch.no_grad():
        example = torch.randn(3, 12, 16), torch.arange(12) < torch.tensor([12, 3, 5])[:, None]
        graph = torch.export.export(bare, example, dynamic_shapes=({0: rows, 1: units}, {0: rows, 1: units})).module()
        for count, length in ((1, 12), (5, 40)):
            states, mask = torch.randn(count, length, 16), torch.arange(length) < torch.arange(1, count + 1)[:, None] * 7
            torch.testing.assert_close(graph(states, mask), bare(states, mask), rtol=1e-5, atol=1e-5)


class Adapted(torch.nn.Module):
    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.inner(states)
