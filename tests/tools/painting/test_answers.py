from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zhuji.core.contracts import Prediction
from zhuji.tools.painting.answers import Framed, captioned, found_box, framed, paintable, painted
from zhuji.tools.painting.canvas import COLOURS

CLASSES = ("cat", "dog")


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def where(image: Image.Image, colour: str) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels of exactly this colour."""
    rows, columns = np.nonzero((np.asarray(image) == rgb(colour)).all(-1))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_a_frame_stands_where_its_object_stands_scaled_with_the_picture() -> None:
    picture = Image.new("RGB", (80, 40), "#404040")
    found = framed(picture, [Framed((20, 10, 60, 30), "", 0)])
    assert found.size == (320, 160)
    left, _, right, bottom = where(found, COLOURS[0])
    assert (left, right, bottom) == pytest.approx((80, 240, 120), abs=2)
    assert picture.getextrema() == ((64, 64), (64, 64), (64, 64)), "the picture itself is as it was"


def test_classes_differ_by_colour_and_by_dashes() -> None:
    one, other = (framed(Image.new("RGB", (400, 400)), [Framed((50, 50, 350, 350), "", kind)]) for kind in (0, 1))
    edge = np.asarray(one)[350, 60:340], np.asarray(other)[350, 60:340]
    assert (edge[0] == rgb(COLOURS[0])).all(), "the first is whole"
    share = (edge[1] == rgb(COLOURS[1])).all(-1).mean()
    assert 0.4 < share < 0.95, "the second has gaps"


@pytest.mark.parametrize(
    "box", [(-50, -50, 20, 20), (390, 390, 900, 900), (0, 0, 400, 400), (500, 500, 600, 600), (10, 10, 10, 10)]
)
def test_boxes_beyond_the_edge_are_drawn_inside(box: tuple[float, ...]) -> None:
    assert framed(Image.new("RGB", (400, 400)), [Framed(box, "a name", 0)]).size == (400, 400)


def test_the_surest_lies_on_top() -> None:
    pair = [Framed((100, 100, 300, 300), "", 0), Framed((100, 100, 300, 300), "", 4)]
    found = np.asarray(framed(Image.new("RGB", (400, 400)), pair))
    assert tuple(found[300, 200]) == rgb(COLOURS[0])


def test_a_caption_covers_nothing() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 200, (330, 330, 3), dtype=np.uint8))
    found = captioned(picture, "cat  0.981")
    assert (np.asarray(found)[:330, :330] == np.asarray(picture)).all()
    below = np.asarray(found)[330:]
    assert below.max() == 255 and below.min() < 60, "dark letters on white"
    narrow = captioned(Image.new("L", (1, 330)), "a rather long name of a class 0.33")
    assert narrow.width > 200


def test_every_answer_of_a_picture_can_be_painted() -> None:
    image = Image.new("L", (8, 8))
    told = {"label": "dog", "score": 0.5, "box": [1.0, 1.0, 6.0, 6.0]}
    assert found_box(told, CLASSES).text == "dog 0.50"
    for answer, boxes in (("cat", False), (("cat", "dog"), False), ((), False), (3.25, False), ((told,), True), ((), True)):
        assert paintable(answer)
        assert painted(image, Prediction(answer, 0.5), CLASSES, boxes=boxes).width >= 320
    assert not paintable((1, 2)) and not paintable((0.5, 0.25)) and not paintable(None)


def test_a_class_that_no_font_writes_stands_by_its_number() -> None:
    # For private use: no font has to have them.
    strange = ("\ue000\ue001",)
    told = {"label": strange[0], "score": 0.5, "box": [1.0, 1.0, 6.0, 6.0]}
    assert found_box(told, strange).text.startswith("#1")
    found = np.asarray(painted(Image.new("L", (330, 330)), Prediction(strange[0], 0.5), strange, boxes=False))
    expected = np.asarray(captioned(Image.new("L", (330, 330)), "#1  0.500"))
    assert (found == expected).all()
