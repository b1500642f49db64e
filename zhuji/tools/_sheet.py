"""Many small pictures as one: rows of cells with a caption before each row."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zhuji.tools.painting.canvas import shortened, written

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST, MOST = 56, 192
"""Pixels of a cell's longer side: smaller pictures are enlarged by a whole factor, larger ones made smaller."""
_GAP, _INK, _FAINT = 4, "#1d2127", "#69707a"
_SIZE, _WIDEST = 15, 160
"""Of captions, in pixels: their height, and their width at most."""


@dataclass(frozen=True)
class Strip:
    """A row of a sheet: pictures `(H, W, 3)` or `(H, W, 1)` uint8, and what stands before them. `first`: a new group begins, so there is room
    above it."""

    caption: str
    pictures: Sequence[np.ndarray]
    first: bool = False


def image_of(array: np.ndarray) -> Image:
    """An array `(H, W, 3)` or `(H, W, 1)` uint8 as a picture."""
    from PIL import Image

    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def png(image: Image) -> bytes:
    """As the bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def sheet(strips: Sequence[Strip]) -> Image:
    """All rows below each other, their captions in a column of its own. There is at least one picture, and all are of one size."""
    from PIL import Image, ImageDraw

    cells = [[_cell(array) for array in strip.pictures] for strip in strips]
    wide, high = next(cell.size for row in cells for cell in row)
    captions = [_written(strip.caption) for strip in strips]
    margin = max((round(font.getlength(text)) + 2 * _GAP for text, font in captions if text), default=0)
    tops = [_GAP + number * (high + _GAP) for number in range(len(strips))]
    groups = np.cumsum([strip.first and number > 0 for number, strip in enumerate(strips)])
    tops = [top + 2 * _GAP * int(group) for top, group in zip(tops, groups, strict=True)]
    most = max(len(row) for row in cells)
    whole = Image.new("RGB", (margin + _GAP + most * (wide + _GAP), tops[-1] + high + _GAP), "white")
    pen = ImageDraw.Draw(whole)
    for row, strip, top, (text, font) in zip(cells, strips, tops, captions, strict=True):
        pen.text((margin - _GAP, top + high / 2), text, fill=_INK if strip.first else _FAINT, font=font, anchor="rm")
        for column, cell in enumerate(row):
            whole.paste(cell, (margin + _GAP + column * (wide + _GAP), top))
    return whole


def _cell(array: np.ndarray) -> Image:
    from PIL.Image import Resampling

    image = image_of(array)
    longer = max(image.size)
    if longer < LEAST:
        factor = -(-LEAST // longer)
        return image.resize((image.width * factor, image.height * factor), Resampling.NEAREST)
    if longer > MOST:
        image.thumbnail((MOST, MOST), Resampling.LANCZOS)
    return image


def _written(text: str) -> tuple[str, Any]:
    """A caption and a font that writes it; where this machine has none for it, what is left of it in plain letters."""
    plain = "".join(letter if letter.isascii() else "?" for letter in text)
    text, font = written(text, plain, _SIZE)
    return shortened(text, font, _WIDEST), font
