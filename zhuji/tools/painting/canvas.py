# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""A copy of a picture, large enough to be written on, and the pens: colours that stay apart for every eye, dashes, and letters.

Sizes are in pixels of the copy.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

LEAST = 320
"""Longest side from which a picture is large enough to be read; smaller ones are enlarged by a whole factor, pixel by pixel."""
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442")
"""Told apart with any kind of colour vision (Okabe and Ito 2008)."""
DASHES: tuple[tuple[int, ...], ...] = ((), (5, 3), (1, 2), (6, 2, 1, 2))
"""Lengths of strokes and gaps in turn, in widths of the line; empty: a whole line. With the colours in step, no two of 28 kinds look alike."""
_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc", "PingFang.ttc",
    "Hiragino Sans GB.ttc", "msyh.ttc", "simhei.ttf", "DroidSansFallbackFull.ttf", "Arial Unicode.ttf", "DejaVuSans.ttf",
)  # fmt: skip
"""Fonts of this machine that are tried, after Pillow's own, for letters that it lacks."""
_NOBODYS = "\U0010fffd"
"""A letter that no font has."""


@dataclass(frozen=True)
class Canvas:
    """`image`: a copy in three colours; `scale`: how many of its pixels a side of one of the picture's became."""

    image: Image
    scale: int

    @property
    def line(self) -> int:
        """Width of a line that can be seen."""
        return max(2, round(max(self.image.size) / 250))

    @property
    def letters(self) -> int:
        """Height of letters that can be read."""
        return max(13, round(max(self.image.size) / 42))


def canvas(image: Image, least: int = LEAST) -> Canvas:
    """A copy, enlarged by the smallest whole factor that makes its longer side at least `least`."""
    from PIL.Image import Resampling

    scale = max(1, math.ceil(least / max(image.size)))
    size = image.width * scale, image.height * scale
    return Canvas(image.convert("RGB").resize(size, Resampling.NEAREST), scale)


def pen(kind: int) -> tuple[str, tuple[int, ...]]:
    """Colour and dashes of the class with this number."""
    return COLOURS[kind % len(COLOURS)], DASHES[kind % len(DASHES)]


def as_bytes(image: Image, kind: str, quality: int = 92) -> bytes:
    """A painted copy as a file, `kind` JPEG or PNG. JPEG with all of its colours: frames are thin, and their colours tell classes."""
    file = io.BytesIO()
    image.save(file, kind, **({"quality": quality, "subsampling": 0} if kind == "JPEG" else {}))
    return file.getvalue()


def ink(colour: str) -> str:
    """Black or white, whichever reads better upon a colour (relative luminance of WCAG 2, at the level where both contrast alike)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return "#000000" if sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) > 0.179 else "#ffffff"


@cache
def font(size: int, text: str = "") -> Any:
    """A font of this machine that writes all of `text`; None where there is none."""
    for name in ("", *_FONTS):
        found = _opened(name, size)
        if found is not None and all(_writes(found, letter) for letter in set(text)):
            return found
    return None


def written(text: str, otherwise: str, size: int) -> tuple[str, Any]:
    """What is written, and the font for it: `text`, or `otherwise` (plain letters) where no font of this machine can write it."""
    found = font(size, text) if text.isprintable() else None
    return (text, found) if found is not None else (otherwise, font(size))


@cache
def _opened(name: str, size: int) -> Any:
    from PIL import ImageFont

    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # this machine does not have it
        return None


def _writes(found: Any, letter: str) -> bool:
    """What a font lacks it draws as it draws a letter that no font has."""
    return letter == " " or bytes(found.getmask(letter)) != bytes(found.getmask(_NOBODYS))


def shortened(text: str, found: Any, width: float) -> str:
    """As much of a text as is no wider than `width`, with an ellipsis where something is left out."""
    if found.getlength(text) <= width:
        return text
    kept = len(text)
    while kept and found.getlength(f"{text[:kept]}…") > width:
        kept -= 1
    return f"{text[:kept]}…"


Line = tuple[tuple[float, float], tuple[float, float]]
"""Where a straight line begins and where it ends."""


def stroke(draw: ImageDraw, line: Line, colour: str, pattern: tuple[float, ...], width: int) -> None:
    """A straight line. `pattern`: lengths of strokes and gaps in turn; empty: a whole line."""
    (begin, end), length = line, math.dist(*line)
    if not pattern or not length:
        draw.line(line, fill=colour, width=width)
        return
    along = ((end[0] - begin[0]) / length, (end[1] - begin[1]) / length)
    at, number = 0.0, 0
    while at < length:
        until = min(at + pattern[number % len(pattern)], length)
        if number % 2 == 0:
            ends = [(begin[0] + along[0] * place, begin[1] + along[1] * place) for place in (at, until)]
            draw.line(ends, fill=colour, width=width)
        at, number = until, number + 1
