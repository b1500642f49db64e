import pytest
import torch

from tests.contracts import properties
from tests.contracts.properties import Cell
from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify
from zhuji.tasks.next_unit import NextUnit

SMALL = {"width": 8, "layers": 2, "heads": 2, "dropout": 0.0}
BERT = {"norm_place": "post", "norm": "layer", "norm_eps": 1e-12, "positions": "learned", "feedforward": "gelu",
        "segment_types": 2, "key_bias": True, "max_positions": 16}  # fmt: skip
VARIANTS = [
    {"positions": "rotary"},
    {"positions": "learned", "max_positions": 6},
    {"positions": "none"},
    {"kv_heads": 1, "feedforward": "gelu", "norm": "layer", "dropout": 0.1},
    {**BERT, "key_bias": False},  # no gradient reaches a bias on the keys, for it changes no answer
    {"bias": False, "rotary_base": 500.0, "norm_eps": 1e-5},
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_promises(settings):
    backbone = Transformer.parse({**SMALL, **settings})
    cell = Cell.of(Text.example(), backbone, Classify.example())
    for promise in properties.EVERY:
        promise(cell)
    properties.sees_no_future(Cell.of(Text.example(), backbone, NextUnit.example()))


@pytest.mark.parametrize("positions, order_counts", [("rotary", True), ("learned", True), ("none", False)])
def test_whether_order_counts(positions, order_counts):
    torch.manual_seed(0)
    body = Transformer.parse({**SMALL, "positions": positions}).body(False).eval()
    if positions == "learned":
        torch.nn.init.normal_(body.learned.table)
    states, mask = torch.randn(1, 5, 8), torch.ones(1, 5, dtype=torch.bool)
    straight, turned = body(Features(states, mask)).states, body(Features(states.flip(1), mask)).states.flip(1)
    assert torch.allclose(straight, turned, atol=1e-5) != order_counts


def test_padding_in_front_moves_nobody():
    body = Transformer.parse(SMALL).body(False).eval()
    states = torch.randn(1, 4, 8)
    mask = torch.ones(1, 4, dtype=torch.bool)
    behind = torch.nn.functional.pad(states, (0, 0, 3, 0))
    got = body(Features(behind, torch.nn.functional.pad(mask, (3, 0)))).states[:, 3:]
    torch.testing.assert_close(got, body(Features(states, mask)).states, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "settings, told",
    [({"width": 10, "heads": 4}, "heads"), ({"heads": 4, "kv_heads": 3}, "kv_heads"), ({"width": 6, "heads": 2}, "even")],
)
def test_what_cannot_be_divided_is_refused(settings, told):
    with pytest.raises(BadSetting, match=told):
        Transformer.parse(settings)


@pytest.mark.parametrize(
    "settings, width", [({"feedforward": "gelu"}, 512), ({"feedforward": "swiglu"}, 344), ({"hidden": 7}, 7)]
)
def test_width_of_the_feedforward_part(settings, width):
    assert Transformer.parse({"width": 128, **settings}).hidden_width == width


PACKED = [{}, BERT, {"positions": "learned"}, {"kv_heads": 1}]


@pytest.mark.parametrize("settings", PACKED)
@pytest.mark.parametrize("causal", [False, True])
def test_packed_documents_are_as_if_alone(settings, causal):
    torch.manual_seed(0)
    body = Transformer.parse({**SMALL, **settings}).body(causal).eval()
    first, second = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    row = torch.nn.functional.pad(torch.cat((first, second), 1), (0, 0, 0, 2))
    mask, segments = torch.arange(9)[None] < 7, torch.tensor([[5, 5, 5, 6, 6, 6, 6, 6, 0]])
    packed = body(Features(row, mask, segments))
    assert packed.segments is segments
    for states, place in ((first, slice(0, 3)), (second, slice(3, 7))):
        alone = body(Features(states, torch.ones(states.shape[:2], dtype=torch.bool))).states
        torch.testing.assert_close(packed.states[:, place], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", [BERT, {"kv_heads": 1}])
def test_it_compiles_without_a_break(settings):
    """No step back to Python in between: nothing waits for an accelerator."""
    torch.manual_seed(0)
    body = Transformer.parse({**SMALL, **settings, "dropout": 0.1}).body(True)
    features = Features(torch.randn(2, 6, 8), torch.ones(2, 6, dtype=torch.bool), torch.tensor([[0, 0, 1, 1, 1, 1]] * 2))
    compiled = torch.compile(body, fullgraph=True, backend="eager")
    compiled(features).states.sum().backward()
    body.eval()
    torch.testing.assert_close(compiled(features).states, body(features).states)


def test_stages_hold_every_parameter_once_in_order():
    for settings, first in ((BERT, 4), ({"positions": "learned"}, 1), ({}, 0)):
        backbone = Transformer.parse({**SMALL, **settings})
        body = backbone.body(False)
        stages = backbone.stages(body)
        assert len(stages) == 1 + backbone.layers
        assert len(list(stages[0].parameters())) == first
        found = [id(p) for stage in stages for p in stage.parameters()]
        assert sorted(found) == sorted(id(p) for p in body.parameters())
        assert next(body.blocks[0].parameters()) is next(stages[1].parameters())


@pytest.mark.parametrize(
    "settings, count",
    [
        # BERT-mini: positions, types, norm, and in each block 12 x 256^2 weights and 13 x 256 biases and norms. GPT-2 less its ids.
        ({**BERT, "width": 256, "layers": 4, "heads": 4, "max_positions": 512}, 512 * 256 + 2 * 256 + 512 + 4 * 789_760),
        ({"width": 768, "layers": 12, "heads": 12, "norm": "layer", "positions": "learned", "max_positions": 1024,
          "feedforward": "gelu_tanh", "key_bias": True}, 124_439_808 - 50_257 * 768),
    ],
)  # fmt: skip
def test_as_many_parameters_as_were_published(settings, count):
    with torch.device("meta"):
        body = Transformer.parse(settings).body(False)
    assert sum(p.numel() for p in body.parameters()) == count
