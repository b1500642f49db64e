import math

import numpy as np
import pytest
import torch

from zhuji.nn.pictures import places
from zhuji.nn.pictures.places import Marked


def picture(height=12, width=20):
    """Three objects, each the only one in a channel of its own, and a place for one that is not there."""
    boxes = torch.tensor([[0.1, 0.25, 0.3, 0.5], [0.5, 0.0, 0.9, 0.5], [0.0, 0.75, 0.4, 1.0], [-1, -1, -1, -1]])
    values = torch.zeros(1, height, width, 3)
    for channel, (x0, y0, x1, y1) in enumerate((boxes[:3] * torch.tensor([width, height] * 2)).round().int().tolist()):
        values[0, y0:y1, x0:x1, channel] = 1.0
    return Marked(values, boxes[None], torch.tensor([[0, 1, 2, -1]]))


def around(values, channel, least=0.5):
    """The box around all that shines, as shares."""
    there = (values[..., channel] > least).nonzero()
    height, width = values.shape[:2]
    low, high = there.amin(0), there.amax(0) + 1
    return [float(low[1] / width), float(low[0] / height), float(high[1] / width), float(high[0] / height)]


def told(marked):
    assert marked.classes is not None and marked.boxes is not None
    return {kind: box for kind, box in zip(marked.classes[0].tolist(), marked.boxes[0].tolist(), strict=True) if kind >= 0}


@pytest.mark.parametrize("across, down", [(True, False), (False, True), (True, True), (False, False)])
def test_mirrored(across, down):
    found = places.mirrored(picture(), torch.tensor([across]), torch.tensor([down]))
    assert {*told(found)} == {0, 1, 2}
    for kind, box in told(found).items():
        assert box == pytest.approx(around(found.values[0], kind), abs=1e-6)
    assert found.values.sum() == picture().values.sum()


@pytest.mark.parametrize("right, down", [(0, 0), (3, 2), (-1, -2), (2, -1), (40, 0), (0, -40), (0, -13), (-25, 0)])
def test_shifted_as_a_padded_crop(right, down):
    given = picture()
    found = places.shifted(given, torch.tensor([right]), torch.tensor([down]))
    margin = 50
    wide = torch.nn.functional.pad(given.values, (0, 0, margin, margin, margin, margin))
    expected = wide[:, margin - down : margin - down + 12, margin - right : margin - right + 20]
    assert torch.equal(found.values, expected)
    for kind, box in told(found).items():
        assert box == pytest.approx(around(found.values[0], kind), abs=1e-6)
    if abs(right) > 20 or abs(down) > 20:
        assert not told(found)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, -2), (-7, 5), (19, 11), (-19, -11), (40, -40)])
def test_shifted_as_a_crop_of_a_picture_with_its_reflection_around(right, down):
    given = picture()
    found = places.shifted(given, torch.tensor([right]), torch.tensor([down]), mirror=True)
    x, y = max(-19, min(19, right)), max(-11, min(11, down))  # an edge can reflect no more
    wide = np.pad(given.values[0].numpy(), ((11, 11), (19, 19), (0, 0)), mode="reflect")
    assert np.array_equal(found.values[0].numpy(), wide[11 - y : 23 - y, 19 - x : 39 - x])
    assert told(found) == told(places.shifted(given, torch.tensor([right]), torch.tensor([down])))


def test_rows_are_shifted_each_by_its_own_reflection():
    two = places.Marked(torch.rand(2, 12, 20, 3))
    found = places.shifted(two, torch.tensor([4, -1]), torch.tensor([0, 9]), mirror=True).values
    for row, (right, down) in enumerate(((4, 0), (-1, 9))):
        alone = places.shifted(
            places.Marked(two.values[row : row + 1]), torch.tensor([right]), torch.tensor([down]), mirror=True
        )
        assert torch.equal(found[row], alone.values[0])


def test_of_what_is_hardly_seen_no_box_is_left():
    """The third is 8 pixels wide: of 3 that are left it is told, of 2 not."""
    assert 2 in told(places.shifted(picture(), torch.tensor([-5]), torch.tensor([0])))
    assert 2 not in told(places.shifted(picture(), torch.tensor([-6]), torch.tensor([0])))


def test_a_map_that_changes_nothing():
    given = picture()
    found = places.mapped(given, places.windows(torch.ones(1), torch.ones(1), torch.zeros(1, 2)))
    torch.testing.assert_close(found.values, given.values, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.boxes, given.boxes)


@pytest.mark.parametrize("scale, ratio", [(0.25, 1.0), (0.49, 1.3), (2.0, 0.8)])
def test_a_window_shows_its_part(scale, ratio):
    """Against the definition: a pixel of the new picture shows the place of the old one that lies at the same share of the window."""
    height, width = 12, 20
    gradient = torch.stack(torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"), -1)[None]
    maps = places.windows(torch.tensor([scale]), torch.tensor([ratio]), torch.tensor([[0.3, 0.7]]))
    found = places.mapped(Marked(gradient), maps).values[0]
    wide, high = math.sqrt(scale * ratio), math.sqrt(scale / ratio)
    left, top = 0.3 * (1 - wide), 0.7 * (1 - high)
    y, x = (top + high * 5.5 / height) * height, (left + wide * 9.5 / width) * width
    assert found[5, 9].tolist() == pytest.approx([y, x], abs=1e-4)
    assert wide * high == pytest.approx(scale)


def test_boxes_follow_a_map_to_where_their_pixels_are():
    large = picture(120, 200)
    for scale, ratio, where in ((0.6, 1.1, (0.2, 0.4)), (1.8, 0.9, (0.5, 0.1))):
        maps = places.windows(torch.tensor([scale]), torch.tensor([ratio]), torch.tensor([where]))
        found = places.mapped(large, maps)
        assert told(found)
        for kind, box in told(found).items():
            assert box == pytest.approx(around(found.values[0], kind), abs=0.02)


@pytest.mark.parametrize("degrees", [90, 180])
def test_turned_about_the_middle(degrees):
    """In pixels: a quarter turn of a square picture is torch's own, and boxes are then exact."""
    given = picture(20, 20)
    angle = math.radians(degrees)
    linear = torch.tensor([[[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]])
    found = places.mapped(given, places.about_the_middle(linear, 20, 20))
    expected = torch.rot90(given.values, degrees // 90, (1, 2))
    torch.testing.assert_close(found.values, expected, atol=1e-4, rtol=0)
    for kind, box in told(found).items():
        assert box == pytest.approx(around(found.values[0], kind), abs=1e-5)


def test_what_is_turned_keeps_its_shape_where_the_picture_is_no_square():
    given = Marked(torch.zeros(1, 60, 100, 1), torch.tensor([[[0.4, 0.25, 0.6, 0.5]]]), torch.tensor([[0]]))
    linear = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
    found = places.mapped(given, places.about_the_middle(linear, 60, 100))
    x0, y0, x1, y1 = told(found)[0]
    assert ((x1 - x0) * 100, (y1 - y0) * 60) == pytest.approx((15, 20), abs=1e-3), "20 wide and 15 high before"


def test_rectangles_are_whole_pixels_inside_the_picture():
    chance = torch.Generator().manual_seed(0)
    share, ratio = torch.rand(200, generator=chance), 3 ** (2 * torch.rand(200, generator=chance) - 1)
    found = places.rectangles(share, ratio, torch.rand(200, 2, generator=chance), 12, 20)
    pixels = found * torch.tensor([20, 12, 20, 12])
    torch.testing.assert_close(pixels, pixels.round(), atol=1e-4, rtol=0)
    assert found.min() >= 0 and found.max() <= 1 and (found[:, 2:] >= found[:, :2]).all()
    inside = places.inside_of(found, 12, 20).flatten(1).sum(1)
    expected = (pixels[:, 2] - pixels[:, 0]) * (pixels[:, 3] - pixels[:, 1])
    torch.testing.assert_close(inside.float(), expected, atol=1e-3, rtol=0)
