# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""What speaks for an answer, laid over its picture: orange for, blue and hatched against, the stronger the more. Beside it the picture as it is.

Shapes: H and W rows and columns of the copy, R and S of the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zhuji.core.log import in_language
from zhuji.model.heat import Heat
from zhuji.tools.painting.answers import Framed, framed
from zhuji.tools.painting.canvas import Canvas, canvas, shortened, written

if TYPE_CHECKING:
    from PIL.Image import Image

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Told apart with any kind of colour vision (Okabe and Ito 2008)."""
_GAP = 8
_INK = "#1d2127"
_STRONGEST = 0.85
"""Share of the colour where a map is strongest: the picture still shows through."""
_HATCH = 6
"""Pixels of the copy from stripe to stripe."""
_SMOOTH = 40
"""A map is smoothed over its longer side's so-manieth part, and at least half a cell: single pixels say little, and flicker."""


def heated(image: Image, heat: Heat, classes: Sequence[str]) -> Image:
    """The picture, and beside it the same in grey with its map, of an object with its frame; below what is explained."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    plain = canvas(image)
    boxes = _boxes(heat, classes)
    left = framed(image, boxes) if boxes else plain.image
    right = laid_over(plain, heat)
    size = plain.letters + 2
    whole = Pillow.new("RGB", (2 * left.width + _GAP, left.height + round(2.2 * size)), "#ffffff")
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width + _GAP, 0))
    score = heat.prediction.score if not boxes and heat.prediction.answer == heat.about else None
    name = heat.about if score is None else f"{heat.about} {score:.3f}"
    text = in_language(f"orange: speaks for {name}; blue, hatched: against", f"橙色：支持 {name}；蓝色条纹：反对")
    number = f"#{classes.index(heat.about) + 1}" if heat.about in classes else "it"
    text, found = written(text, f"orange: speaks for {number}; blue, hatched: against", size)
    shown = shortened(text, found, whole.width - size)
    ImageDraw.Draw(whole).text((whole.width / 2, left.height + 1.1 * size), shown, fill=_INK, font=found, anchor="mm")
    return whole


def _boxes(heat: Heat, classes: Sequence[str]) -> list[Framed]:
    if not heat.of:
        return []
    one = heat.prediction.answer[int(heat.of) - 1]
    return [Framed(one["box"], "", classes.index(one["label"]))]


def laid_over(sheet: Canvas, heat: Heat) -> Image:
    """The copy in grey, coloured by the map."""
    from PIL import Image as Pillow

    # Without black and white, so that every colour shows on it.
    grey = 70 + 0.65 * np.asarray(sheet.image.convert("L"), dtype=np.float32)[..., None] * np.ones(3, np.float32)
    field = spread(heat.map, heat.covers, sheet.scale, (grey.shape[0], grey.shape[1]))
    share = np.abs(field) / max(float(np.abs(field).max()), 1e-12) * _STRONGEST
    rows, columns = np.indices(field.shape)
    # Colour alone must not tell for from against.
    stripes = (rows + columns) % _HATCH < _HATCH // 2
    share = np.where((field < 0) & stripes, share * 0.35, share)[..., None]
    colour = np.where((field > 0)[..., None], np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    mixed = grey * (1 - share) + colour * share
    return Pillow.fromarray(np.rint(mixed).astype(np.uint8))


def spread(cells: np.ndarray, covers: Sequence[float], scale: int, size: tuple[int, int]) -> np.ndarray:
    """`(H, W)`: a map `(R, S)`, smoothed, over a copy of `size` (H, W) whose picture was enlarged by `scale`; zero where it does not reach."""
    from PIL import Image as Pillow

    left, top, right, bottom = (side * scale for side in covers)
    place = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
    wide, high = place[2] - place[0], place[3] - place[1]
    smallest = min((right - left) / cells.shape[1], (bottom - top) / cells.shape[0])
    blur = max(smallest / 2, max(size) / _SMOOTH)
    # The edge goes on outwards, so that smoothing does not fade it.
    image = Pillow.fromarray(cells.astype(np.float32)).resize((max(wide, 1), max(high, 1)), Pillow.Resampling.NEAREST)
    smooth = _blurred(np.asarray(image), blur)
    field = np.zeros(size, np.float32)
    y0, x0 = max(place[1], 0), max(place[0], 0)
    y1, x1 = min(place[3], size[0]), min(place[2], size[1])
    field[y0:y1, x0:x1] = smooth[y0 - place[1] : y1 - place[1], x0 - place[0] : x1 - place[0]]
    return field


def _blurred(field: np.ndarray, radius: float) -> np.ndarray:
    """Three means over a window after each other come close to a Gaussian (Wells 1986); Pillow blurs no fractions."""
    width = max(1, round(radius * math.sqrt(12 / 3)))
    for axis in (0, 1):
        for _ in range(3):
            field = _mean(field, width, axis)
    return field


def _mean(field: np.ndarray, width: int, axis: int) -> np.ndarray:
    before, after = width // 2, width - 1 - width // 2
    pads = [(0, 0), (0, 0)]
    pads[axis] = (before + 1, after)
    sums = np.cumsum(np.pad(field.astype(np.float64), pads, mode="edge"), axis=axis)
    high = np.take(sums, range(width, sums.shape[axis]), axis=axis)
    low = np.take(sums, range(sums.shape[axis] - width), axis=axis)
    return ((high - low) / width).astype(np.float32)
