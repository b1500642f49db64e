import pytest
import torch

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.backbones.conformer import Conformer
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify

SMALL = {"width": 8, "layers": 2, "heads": 2, "hidden": 12, "window": 4, "dropout": 0.0}


def seen(body, states, place):
    """Which units the state at `place` depends on."""
    states = states.clone().requires_grad_()
    out = body(Features(states, torch.ones(states.shape[:2], dtype=torch.bool))).states
    (slope,) = torch.autograd.grad(out[0, place].square().sum(), states)
    return slope[0].any(-1)


@pytest.mark.parametrize("subsample", [1, 4])
def test_promises(subsample):
    backbone = Conformer.parse({**SMALL, "subsample": subsample})
    cell = Cell.of(Text.example(), backbone, Classify.example())
    for promise in properties.EVERY:
        promise(cell)
    following = Cell.of(Text.example(), backbone, doubles.Next.example())
    if subsample == 1:
        properties.sees_no_future(following)
    else:
        with pytest.raises(ImpossiblePair):
            following.model()


@pytest.mark.parametrize("subsample", [1, 2, 4, 8])
@pytest.mark.parametrize("length", [1, 7, 16])
def test_grid_and_mask_become_shorter_together(subsample, length):
    body = Conformer.parse({**SMALL, "subsample": subsample}).body(False)
    mask = torch.arange(length) < torch.tensor([length, max(length - 5, 1)])[:, None]
    out = body(Features(torch.randn(2, length, 8), mask))
    assert out.states.shape == (2, -(-length // subsample), 8)
    assert out.mask.sum(1).tolist() == [-(-int(real) // subsample) for real in mask.sum(1)]
    assert not out.states[~out.mask].any()


def test_a_row_is_the_same_beside_longer_ones():
    body = Conformer.parse({**SMALL, "subsample": 4}).body(False).eval()
    states = torch.randn(2, 23, 8)
    mask = torch.arange(23) < torch.tensor([23, 10])[:, None]
    together = body(Features(states, mask))
    alone = body(Features(states[1:, :10], mask[1:, :10]))
    torch.testing.assert_close(together.states[1][together.mask[1]], alone.states[0])


def test_attention_sees_all_and_a_causal_one_nothing_ahead():
    states = torch.randn(1, 24, 8)
    assert seen(Conformer.parse({**SMALL, "subsample": 4}).body(False), states, 2).all()
    behind = seen(Conformer.parse({**SMALL, "subsample": 4}).body(True), states, 2)
    # Unit 2 of the shorter grid stands where unit 8 stood.
    assert behind[:9].any() and not behind[9:].any()


def test_stages_hold_every_parameter_once():
    backbone = Conformer.parse(SMALL)
    body = backbone.body(False)
    held = [id(p) for stage in backbone.stages(body) for p in stage.parameters()]
    assert sorted(held) == sorted(id(p) for p in body.parameters()) and len(backbone.stages(body)) == 3


@pytest.mark.parametrize("settings", [{"heads": 3}, {"width": 6, "heads": 2}, {"subsample": 3}])
def test_bad_settings(settings):
    with pytest.raises(BadSetting):
        Conformer.parse({**SMALL, **settings})
