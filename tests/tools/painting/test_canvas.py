from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from zhuji.tools.painting import canvas as room
from zhuji.tools.painting.canvas import COLOURS, as_bytes, canvas, font, ink, pen, shortened, stroke, written


def test_small_pictures_are_enlarged_by_whole_pixels_and_large_ones_are_copied() -> None:
    small = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    found = canvas(small, 10)
    assert (found.scale, found.image.size, found.image.mode) == (3, (12, 9), "RGB")
    assert (np.asarray(found.image)[::3, ::3, 0] == np.asarray(small)).all()
    large = Image.new("RGB", (400, 20), "red")
    copy = canvas(large)
    copy.image.putpixel((0, 0), (0, 0, 0))
    assert copy.scale == 1 and large.getpixel((0, 0)) == (255, 0, 0)


def test_no_two_of_28_kinds_share_colour_and_dashes() -> None:
    assert len({pen(kind) for kind in range(28)}) == 28
    assert all(pen(a)[0] != pen(b)[0] for a, b in itertools.combinations(range(len(COLOURS)), 2))


def contrast(a: str, b: str) -> float:
    """WCAG 2.2, contrast ratio."""

    def light(colour: str) -> float:
        shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(a), light(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", COLOURS)
def test_letters_stand_out_from_every_colour(colour: str) -> None:
    assert contrast(ink(colour), colour) >= 4.5


@pytest.mark.parametrize(("kind", "far"), [("PNG", 0), ("JPEG", 12)])
def test_a_thin_line_keeps_its_colour_in_a_file(kind: str, far: int) -> None:
    image = Image.new("RGB", (64, 64), (100, 20, 200))
    image.paste((230, 159, 0), (30, 0, 32, 64))
    with Image.open(io.BytesIO(as_bytes(image, kind))) as read:
        assert abs(np.asarray(read.convert("RGB"))[20:40, 30:32].astype(int) - (230, 159, 0)).max() <= far


def test_letters_that_no_font_has_are_written_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("cat 0.9", "#1", 14)[0] == "cat 0.9"
    assert written("cat\n\x07", "#1", 14)[0] == "#1"
    monkeypatch.setattr(room, "_FONTS", ())
    font.cache_clear()
    try:
        assert written("蓝", "#3", 14)[0] == "#3"
    finally:
        font.cache_clear()


def test_a_text_is_cut_to_its_room() -> None:
    found = font(14)
    assert shortened("cat", found, 500) == "cat"
    cut = shortened("a very long name of a class", found, 60)
    assert cut.endswith("…") and found.getlength(cut) <= 60
    assert shortened("cat", found, 1) == "…"


@pytest.mark.parametrize(("pattern", "share"), [((), 1.0), ((2.0, 2.0), 0.5)])
def test_dashes_leave_gaps(pattern: tuple[float, ...], share: float) -> None:
    image = Image.new("L", (200, 3))
    stroke(ImageDraw.Draw(image), ((0, 1), (199, 1)), "#ffffff", pattern, 1)
    # Both ends of a stroke are drawn, so that it is a pixel longer.
    assert np.asarray(image)[1].mean() / 255 == pytest.approx(share, abs=0.3)
    assert (np.asarray(image)[1] == 0).any() == bool(pattern)
