import pytest
import torch

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify

SMALL = {"width": 8, "layers": 2, "heads": 2, "dropout": 0.0}
VARIANTS = [
    {"positions": "rotary"},
    {"positions": "learned", "max_positions": 6},
    {"positions": "none"},
    {"kv_heads": 1, "feedforward": "gelu", "norm": "layer", "dropout": 0.1},
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_promises(settings):
    backbone = Transformer.parse({**SMALL, **settings})
    cell = Cell.of(Text.example(), backbone, Classify.example())
    for promise in properties.EVERY:
        promise(cell)
    properties.sees_no_future(Cell.of(Text.example(), backbone, doubles.Next.example()))


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
