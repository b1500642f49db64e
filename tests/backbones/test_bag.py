import pytest
import torch

from tests.contracts import properties
from tests.contracts.properties import Cell
from zhuji.backbones.bag import Bag
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify

MASK = torch.tensor([[True, True, False]])


@pytest.mark.parametrize("settings", [{"layers": 0}, {"layers": 2, "dropout": 0.2}, {"unit_dropout": 0.3}])
def test_promises(settings):
    cell = Cell.of(Text.example(), Bag.parse({"width": 6, "hidden": 5, **settings}), Classify.example())
    for promise in properties.EVERY:
        promise(cell)


def test_without_layers_the_vectors_are_handed_on():
    states = torch.randn(1, 3, 4)
    out = Bag(width=4).body(False)(Features(states, MASK))
    assert torch.equal(out.states[MASK], states[MASK])
    assert not out.states[~MASK].any()
    assert (Bag(width=4).out_width, Bag(width=4, layers=1, hidden=9).out_width) == (4, 9)


def test_unit_dropout_takes_units_out_of_the_mask_in_training_only():
    torch.manual_seed(0)
    body = Bag(width=3, unit_dropout=0.25).body(False)
    features = Features(torch.ones(50, 40, 3), torch.ones(50, 40, dtype=torch.bool))
    out = body(features)
    assert torch.equal(out.states[..., 0] == 1, out.mask)
    assert out.mask.float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert body.eval()(features).mask.all()
