"""Vision transformer: sizes as published, the numbers of `transformers` with the same weights, and cells that are not there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification, ViTModel

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones import vit as module
from zhuji.backbones.transformer import Transformer
from zhuji.backbones.vit import Vit
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.units import Features
from zhuji.nn.heads import PooledHead
from zhuji.nn.layers import linear
from zhuji.tasks.classify import Classify

TINY = {"width": 8, "layers": 2, "heads": 2, "grid": (2, 3)}
CLASSIFY = Classify.example()


@pytest.mark.parametrize(
    "settings",
    [{"positions": "sinusoids"}, {"positions": "none", "summary": False}, {"hidden": 5, "key_bias": True, "dropout": 0.3}],
)
def test_promises(settings) -> None:
    cell = Cell.of(doubles.Picture.example(), Vit.parse({**TINY, **settings}), CLASSIFY)
    for promise in properties.EVERY:
        promise(cell)


@pytest.mark.parametrize(("width", "heads", "millions"), [(192, 3, 5.7), (384, 6, 22.1), (768, 12, 86.6)])
def test_sizes_as_published(width: int, heads: int, millions: float) -> None:
    """Touvron et al. 2021, table 1 (DeiT-Ti, -S, -B: 5, 22 and 86 million), and to the last number `transformers`; but for the class token's
    position, which is one vector with the token itself here."""
    backbone = Vit(width=width, heads=heads, key_bias=True)
    with torch.device("meta"):
        parts = linear(16 * 16 * 3, width), backbone.body(False), PooledHead(width, 1000, pool="summary")
        config = ViTConfig(hidden_size=width, num_attention_heads=heads, intermediate_size=4 * width, num_labels=1000)
        theirs = ViTForImageClassification(config)
    ours = sum(p.numel() for part in parts for p in part.parameters())
    assert ours + width == sum(p.numel() for p in theirs.parameters())
    assert round(ours / 1e6, 1) == millions


def test_numbers_of_the_paper() -> None:
    """The blocks of `transformers` on the same states; tolerance: products are added in another order."""
    torch.manual_seed(0)
    body = Vit.parse({**TINY, "key_bias": True, "hidden": 12}).body(False).eval()
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, layer_norm_eps=1e-6, image_size=(4, 6), patch_size=2,
        num_channels=1,
    )  # fmt: skip
    theirs = ViTModel(config, add_pooling_layer=False).eval()
    for name, module_ in theirs.named_modules():
        pairs = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "out"}
        if (leaf := name.rpartition(".")[2]) in pairs:
            number = int(name.split(".")[1])
            module_.load_state_dict(getattr(body.blocks[number].attention, pairs[leaf]).state_dict())
    for number, layer in enumerate(theirs.layers):
        ours = body.blocks[number]
        layer.layernorm_before.load_state_dict(ours.attention_norm.state_dict())
        layer.layernorm_after.load_state_dict(ours.feedforward_norm.state_dict())
        layer.mlp.fc1.load_state_dict(ours.feedforward.rise.state_dict())
        layer.mlp.fc2.load_state_dict(ours.feedforward.fall.state_dict())
    states = torch.randn(2, 2, 3, 8)
    found = body(Features(states, torch.ones(2, 2, 3, dtype=torch.bool)))
    x = (states + body.entry.places.table).flatten(1, 2)
    x = torch.cat((body.entry.summary.expand(2, 1, -1), x), 1)
    for layer in theirs.layers:
        x = layer(x)
    x = torch.nn.functional.layer_norm(x, (8,), eps=1e-6)
    assert found.summary is not None
    torch.testing.assert_close(found.summary, x[:, 0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.states.flatten(1, 2), x[:, 1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("equal", [True, False])
def test_cells_that_are_not_there_are_not_computed(monkeypatch: pytest.MonkeyPatch, equal: bool) -> None:
    """The same states and gradients as with a mask over all cells, from as many as the fullest row has."""
    torch.manual_seed(1)
    body = Vit.parse({**TINY, "grid": (4, 5)}).body(False)
    mask = torch.zeros(3, 20, dtype=torch.bool)
    for row, count in enumerate((5, 5, 5) if equal else (3, 6, 0)):
        mask[row, torch.randperm(20)[:count]] = True
    states = torch.randn(3, 4, 5, 8)
    seen: list[tuple[int, ...]] = []
    body.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))

    def result() -> tuple[Tensor, Tensor, Tensor]:
        leaf = states.clone().requires_grad_()
        out = body(Features(leaf, mask.view(3, 4, 5)))
        assert out.summary is not None and torch.equal(out.mask, mask.view(3, 4, 5))
        (gradient,) = torch.autograd.grad(out.states.square().sum() + out.summary.sum(), leaf)
        return out.states, out.summary, gradient

    short = result()
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    whole = result()
    assert seen == [(3, 6 if equal else 7, 8), (3, 21, 8)]
    for one, other in zip(short, whole, strict=True):
        # Shorter rows are added up in another order.
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert module.shortened(torch.ones(2, 3, dtype=torch.bool)) is None


def test_a_cell_knows_its_row_and_column() -> None:
    for positions in ("learned", "sinusoids"):
        body = Vit.parse({**TINY, "positions": positions}).body(False).eval()
        states = torch.randn(1, 1, 1, 8).expand(1, 2, 3, 8)
        out = body(Features(states, torch.ones(1, 2, 3, dtype=torch.bool))).states.flatten(0, 2)
        assert len({tuple(row.tolist()) for row in out.round(decimals=4)}) == 6
    # Cells beyond the table share those of its edge.
    body = Vit.parse(TINY).body(False)
    entered = body.entry(torch.zeros(1, 4, 3, 8))
    assert torch.equal(entered[0, 1], entered[0, 3])


def test_a_summary_that_is_not_kept_is_refused() -> None:
    asks = CLASSIFY.task.model_copy(update={"pool": "summary"})
    cell = Cell.of(doubles.Picture.example(), Vit.parse({**TINY, "summary": False}), CLASSIFY)
    for backbone in (cell.backbone, Transformer.example()):
        with pytest.raises(ImpossiblePair) as caught:
            Cell(cell.modality, backbone, asks, cell.records).model()
        assert "pool=summary" in caught.value.message("en") and "pool=summary" in caught.value.message("zh")
    kept = Cell(cell.modality, Vit.parse(TINY), asks, cell.records)
    for promise in properties.EVERY:
        promise(kept)


def test_stages_hold_everything_once() -> None:
    backbone = Vit.example()
    body = backbone.body(False)
    held = [id(parameter) for stage in backbone.stages(body) for parameter in stage.parameters()]
    assert sorted(held) == sorted(id(parameter) for parameter in body.parameters())
    assert len(backbone.stages(body)) == 3


@pytest.mark.parametrize("settings", [{"heads": 3}, {"grid": (0, 2)}, {"positions": "rotary"}])
def test_bad_settings(settings) -> None:
    with pytest.raises(BadSetting):
        Vit.parse({**TINY, **settings})


def test_what_is_told_is_added_to_every_cell_of_its_row() -> None:
    body = Vit.parse({**TINY, "positions": "none"}).body(False)
    states, given = torch.randn(2, 2, 3, 8), torch.randn(2, 8)
    mask = torch.ones(2, 2, 3, dtype=torch.bool)
    told = body(Features(states, mask, given=given)).states
    torch.testing.assert_close(told, body(Features(states + given[:, None, None], mask)).states)
