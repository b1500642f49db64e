"""What every variation keeps true, whatever is drawn: a mark stands around what it marked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhuji.core.errors import BadSetting
from zhuji.modalities.image import Image
from zhuji.nn.pictures.variation import Variation

MEAN, DEVIATION = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
HEIGHT, WIDTH = 24, 32
SPACE = {
    "flip": {"flip": 1.0}, "flip_down": {"flip_down": 1.0}, "shift": {"shift": 9}, "zoom in": {"zoom": (0.2, 0.9), "stretch": 1.4},
    "zoom out": {"zoom": (1.1, 3.0), "stretch": 1.4}, "erase": {"erase": 1.0}, "mixup": {"mixup": 1.0}, "cutmix": {"cutmix": 1.0},
    "everything": {"flip": 0.5, "flip_down": 0.5, "shift": 4, "zoom": (0.5, 1.5), "stretch": 1.2, "erase": 0.5, "mixup": 0.4, "cutmix": 0.4},
}  # fmt: skip
COLOURS = {
    "colours": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}, "changes": {"changes": 2, "strength": 0.9},
}  # fmt: skip
GEOMETRY = (3, 10, 11, 12, 13)
"""Of RandAugment: what moves pixels."""


def scenes(seed, rows=3, most=4):
    """Objects of any place and size; each shines alone in a channel of its own: object n of row r has class and channel r * most + n."""
    chance = np.random.default_rng(seed)
    values = torch.zeros(rows, HEIGHT, WIDTH, rows * most)
    boxes, classes = torch.full((rows, most, 4), -1.0), torch.full((rows, most), -1)
    for row in range(rows):
        for n in range(int(chance.integers(0, most + 1))):
            x0, y0 = int(chance.integers(0, WIDTH - 3)), int(chance.integers(0, HEIGHT - 3))
            x1, y1 = int(chance.integers(x0 + 3, WIDTH + 1)), int(chance.integers(y0 + 3, HEIGHT + 1))
            kind = row * most + n
            values[row, y0:y1, x0:x1, kind] = 1.0
            boxes[row, n], classes[row, n] = torch.tensor([x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT]), kind
    return values, {"boxes": boxes, "classes": classes}


def boxes_hold_their_pixels(values, targets, margin=0.6):
    """What shines at least half as bright as the object does, lies in its mark; `margin`: pixels that the middle of one may lie outside, where
    interpolation put it."""
    height, width = values.shape[1:3]
    seen = 0
    for row in range(len(values)):
        for box, kind in zip(targets["boxes"][row], targets["classes"][row].tolist(), strict=True):
            if kind < 0:
                assert (box == -1).all()
                continue
            assert box.min() >= 0 and box.max() <= 1 and (box[2:] > box[:2]).all()
            shine = values[row, ..., kind]
            there = (shine > max(0.5 * float(shine.max()), 1e-3)).nonzero()
            x0, y0, x1, y1 = (box * torch.tensor([width, height, width, height])).tolist()
            if len(there):
                low, high = there.amin(0) + 0.5, there.amax(0) + 0.5
                assert low[1] >= x0 - margin and low[0] >= y0 - margin, (row, kind, box)
                assert high[1] <= x1 + margin and high[0] <= y1 + margin, (row, kind, box)
            seen += len(there) > 0
    return seen


@pytest.mark.parametrize("name", SPACE)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(seed=st.integers(0, 1 << 32), drawn=st.integers(0, 1 << 32))
def test_boxes_survive(name, seed, drawn):
    values, targets = scenes(seed)
    mean, deviation = torch.zeros(values.shape[-1]), torch.ones(values.shape[-1])
    chance = torch.Generator().manual_seed(drawn)
    found, after = Variation.parse(SPACE[name]).applied(values, targets, mean, deviation, chance)
    assert found.shape == values.shape
    boxes_hold_their_pixels(found, after)


@pytest.mark.parametrize("number", GEOMETRY)
@pytest.mark.parametrize("strength", [-1.0, -0.4, 0.6, 1.0])
def test_boxes_survive_what_moves_pixels_in_rand_augment(number, strength):
    from zhuji.nn.pictures.chosen import CHANGES
    from zhuji.nn.pictures.places import Marked

    seen = 0
    for seed in range(5):
        values, targets = scenes(seed)
        found = CHANGES[number](Marked(values, targets["boxes"], targets["classes"]), torch.full((3,), strength))
        seen += boxes_hold_their_pixels(found.values, {"boxes": found.boxes, "classes": found.classes}, margin=0.8)
    assert seen > 5


@pytest.mark.parametrize("name", [name for name in SPACE if name != "everything"])
def test_most_objects_are_still_marked(name):
    """Or dropping every box would pass."""
    before = after = 0
    for seed in range(20):
        values, targets = scenes(seed)
        ones = torch.ones(values.shape[-1])
        _, found = Variation.parse(SPACE[name]).applied(values, targets, ones * 0, ones, torch.Generator().manual_seed(seed))
        before, after = before + int((targets["classes"] >= 0).sum()), after + int((found["classes"] >= 0).sum())
    assert after > 0.45 * before


@pytest.mark.parametrize("name", COLOURS)
def test_colours_leave_marks_and_shape_alone(name):
    values, (_, targets) = torch.randn(3, HEIGHT, WIDTH, 3), scenes(0)
    variation = Variation.parse({**COLOURS[name], "changes": 0} if name == "colours" else COLOURS[name])
    found, after = variation.applied(values, targets, MEAN, DEVIATION, torch.Generator().manual_seed(0))
    assert found.shape == values.shape and not torch.equal(found, values)
    shown = found * DEVIATION + MEAN
    assert shown.min() > -1e-5 and shown.max() < 1 + 1e-5
    if name == "colours":
        assert all(torch.equal(after[key], targets[key]) for key in targets)


@pytest.mark.parametrize("name", [*SPACE, *COLOURS])
def test_one_generator_decides_everything(name):
    values, targets = torch.randn(4, HEIGHT, WIDTH, 3), {"label": torch.arange(4)}
    variation = Variation.parse({**SPACE, **COLOURS}[name])
    before = torch.random.get_rng_state()
    first, again, other = (
        variation.applied(values, targets, MEAN, DEVIATION, torch.Generator().manual_seed(seed))[0] for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert name.startswith("flip") or not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_pictures_say_what_they_are_made_of(name):
    """Pictures of one number each: what is seen is the share that is told."""
    values = torch.arange(6.0)[:, None, None, None].expand(6, HEIGHT, WIDTH, 3).contiguous()
    label = torch.arange(6)
    found, after = Variation.parse(SPACE[name]).applied(
        values, {"label": label}, MEAN, DEVIATION, torch.Generator().manual_seed(0)
    )
    share, other = after["label_share"], after["label_other"]
    assert torch.equal(after["label"], label) and sorted(other.tolist()) == label.tolist() and (other != label).all()
    assert share.min() >= 0 and share.max() <= 1
    torch.testing.assert_close(found.mean((1, 2, 3)), share * label + (1 - share) * other, atol=1e-4, rtol=1e-4)


def test_a_picture_alone_is_mixed_with_nothing():
    found, after = Variation(mixup=1.0).applied(
        torch.ones(1, 4, 4, 3), {"label": torch.tensor([1])}, MEAN, DEVIATION, torch.Generator()
    )
    assert torch.equal(found, torch.ones(1, 4, 4, 3)) and {*after} == {"label"}


def test_numbers_cannot_be_mixed():
    for name in ("mixup", "cutmix"):
        with pytest.raises(BadSetting) as caught:
            Variation.parse({name: 1.0}).applied(
                torch.ones(2, 4, 4, 3), {"target": torch.ones(2)}, MEAN, DEVIATION, torch.Generator()
            )
        assert caught.value.facts["key"] == f"modality.variation.{name}" and "variation" in Image.model_fields


def test_off_until_it_is_asked_for():
    assert Variation().off and Variation(strength=0.9).off and not Variation(flip=0.1).off
    assert all(not Variation.parse(each).off for each in (*SPACE.values(), *COLOURS.values()))


@pytest.mark.parametrize("bad", [{"zoom": [0.0, 1.0]}, {"zoom": [1.0, 0.5]}, {"flip": 1.5}, {"hue": 0.7}, {"turn": 1}], ids=str)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(Exception, match=next(iter(bad))):
        Variation.parse(bad)


def test_what_is_off_changes_nothing_and_what_changes_is_not_off() -> None:
    for asked, off in (({}, True), ({"strength": 0.9, "margin": "mirror"}, True), ({"stretch": 3.0}, False)):
        variation, values = Variation.parse(asked), torch.rand(2, 9, 9, 3)
        assert variation.off == off
        found, _ = variation.applied(values, {}, MEAN, DEVIATION, torch.Generator().manual_seed(0))
        assert bool(torch.equal(found, values)) == off, asked
