from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zhuji.core.answers import Prediction
from zhuji.model.heat import Heat
from zhuji.tools.painting.canvas import COLOURS, canvas
from zhuji.tools.painting.heat import AGAINST, FOR, heated, laid_over, spread


def made(cells: np.ndarray, covers: tuple[float, ...], size: tuple[int, int], answer: object = "cat", of: str = "") -> Heat:
    left, top, right, bottom = covers
    return Heat(Prediction(answer, 0.5), "cat", of, cells, (left, top, right, bottom), size, 0.0, 1.0, 0.0, True, 0, "any", 16)


def test_weights_are_coloured_where_they_stand_and_against_is_hatched() -> None:
    cells = np.zeros((4, 4))
    cells[0, 0], cells[3, 3] = 1.0, -1.0
    found = np.asarray(laid_over(canvas(Image.new("L", (320, 320), 128)), made(cells, (0, 0, 320, 320), (320, 320)))).astype(
        int
    )
    assert abs(found[20, 20] - FOR).max() < 40
    corner = abs(found[306:316, 306:316] - AGAINST).max(-1)
    assert (corner < 40).any() and (corner > 60).any(), "stripes"
    assert np.ptp(found[60:100, 200:260].reshape(-1, 3), axis=0).max() == 0 and np.ptp(found[80, 220]) == 0, "the rest is grey"


def test_a_map_is_spread_over_what_it_covers() -> None:
    cells = np.array([[0.0, 1.0], [0.0, 0.0]])
    field = spread(cells, (10, 10, 50, 50), 4, (240, 240))
    assert field.shape == (240, 240) and not field[:40].any() and not field[:, :40].any() and not field[200:].any()
    row, column = np.unravel_index(field.argmax(), field.shape)
    assert 40 <= row < 120 and 120 <= column < 200
    # One that reaches beyond the picture (a margin around it) is cut.
    wide = spread(np.ones((4, 4)), (0, -20, 60, 80), 4, (240, 240))
    assert wide == pytest.approx(np.ones((240, 240)), abs=1e-4)


def test_smoothing_keeps_what_there_is() -> None:
    cells = np.random.default_rng(0).normal(size=(8, 8))
    field = spread(cells, (0, 0, 320, 320), 1, (320, 320))
    assert field.mean() == pytest.approx(cells.mean(), abs=0.06)
    assert np.abs(field).max() <= np.abs(cells).max() + 1e-6


def test_picture_and_map_stand_side_by_side_with_a_line_below() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (330, 330, 3), dtype=np.uint8))
    found = heated(picture, made(np.eye(4), (0, 0, 330, 330), (330, 330)), ["cat"])
    assert (np.asarray(found)[:330, :330] == np.asarray(picture)).all() and found.width > 660 and found.height > 340
    assert np.asarray(heated(Image.new("L", (9, 9)), made(np.zeros((3, 3)), (0, 0, 9, 9), (9, 9)), ["cat"])).std() != 0


def test_an_object_is_framed() -> None:
    answer = ({"label": "cat", "score": 0.9, "box": [100.0, 100.0, 300.0, 300.0]},)
    found = heated(Image.new("RGB", (400, 400)), made(np.eye(4), (0, 0, 400, 400), (400, 400), answer, "1"), ["cat"])
    colour = [int(COLOURS[0][place : place + 2], 16) for place in (1, 3, 5)]
    rows, columns = np.nonzero((np.asarray(found) == colour).all(-1))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == pytest.approx((100, 300, 100, 300), abs=2)
