import pytest
import torch

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.recurrent import Recurrent
from zhuji.core.errors import ImpossiblePair
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_promises(cell, directions, layers):
    backbone = Recurrent(cell=cell, directions=directions, layers=layers, width=5, hidden=4)
    whole = Cell.of(Text.example(), backbone, Classify.example())
    for promise in properties.EVERY:
        promise(whole)
    causal = Cell.of(Text.example(), backbone, doubles.Next.example())
    if directions == 1:
        properties.sees_no_future(causal)
    else:
        with pytest.raises(ImpossiblePair, match="directions=1"):
            causal.model()


def test_the_second_direction_starts_at_the_last_real_unit():
    torch.manual_seed(0)
    body = Recurrent(width=3, hidden=2).body(False)
    states = torch.randn(1, 4, 3, requires_grad=True)
    mask = torch.tensor([[True, True, True, False]])
    out = body(Features(states, mask)).states
    (ahead,) = torch.autograd.grad(out[0, 2, :2].sum(), states, retain_graph=True)
    (back,) = torch.autograd.grad(out[0, 2, 2:].sum(), states)
    assert ahead[0].any(-1).tolist() == [True, True, True, False]
    assert back[0].any(-1).tolist() == [False, False, True, False]


def test_the_network_of_the_article():
    backbone = Recurrent(width=16, hidden=32)
    # four gates of 32, each with 16 inputs, 32 states and torch's two biases, in two directions
    assert sum(p.numel() for p in backbone.body(False).parameters()) == 2 * 4 * 32 * (16 + 32 + 2)
    assert backbone.out_width == 64
