from dataclasses import replace

import pytest
import torch

from zhuji.backbones.unet import Unet
from zhuji.core.units import Features


def features(high: int, wide: int, channels: int = 3) -> Features:
    torch.manual_seed(0)
    return Features(torch.randn(2, high, wide, channels), torch.ones(2, high, wide, dtype=torch.bool))


@pytest.mark.parametrize("side", [1, 5, 8])
def test_the_grid_is_kept_whatever_its_sides(side: int) -> None:
    unet = Unet(width=8, factors=(1, 2, 2), blocks=2)
    out = unet.body(False)(features(side, side + 2))
    assert out.states.shape == (2, side, side + 2, 8) and out.mask.all()


def test_what_is_told_changes_every_state_of_its_row_alone() -> None:
    body, given = Unet.example().body(False), torch.randn(2, 8)
    first = body(replace(features(4, 4), given=given)).states
    given[1] += 1
    second = body(replace(features(4, 4), given=given)).states
    assert torch.equal(first[0], second[0])
    assert (first[1] - second[1]).abs().amax(-1).min() > 1e-4


def test_to_be_told_nothing_is_to_be_told_zero() -> None:
    body, rows = Unet.example().body(False), features(4, 4)
    torch.testing.assert_close(body(rows).states, body(replace(rows, given=torch.zeros(2, 8))).states)


def test_far_units_see_each_other_by_the_coarsest_grid() -> None:
    rows = features(16, 16)
    moved = rows.states.clone()
    moved[:, 0, 0] += 3
    for heads, sees in ((2, True), (0, True)):
        body = Unet(width=8, factors=(1, 1), heads=heads).body(False)
        change = (body(replace(rows, states=moved)).states - body(rows).states)[:, 15, 15].abs().max()
        assert bool(change > 0) is sees


def test_stages_are_the_whole_body() -> None:
    unet = Unet(width=8, factors=(1, 2))
    body = unet.body(False)
    held = {id(p) for stage in unet.stages(body) for p in stage.parameters()}
    rest = [name for name, p in body.named_parameters() if id(p) not in held]
    assert rest == ["start"]
