# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""An answer painted over a copy of its picture: boxes with their classes and scores, or a caption below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from zhuji.core.contracts import Prediction
from zhuji.core.log import in_language
from zhuji.tools.painting.canvas import LEAST, Canvas, canvas, ink, pen, shortened, stroke, written

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_PAPER, _INK = "#ffffff", "#1d2127"


@dataclass(frozen=True)
class Framed:
    """An object's place in pixels of the picture (left, top, right, bottom), what stands beside it, and the number of its class."""

    box: Sequence[float]
    text: str
    kind: int


def paintable(answer: Any) -> bool:
    """Can an answer of this kind be painted: boxes, one class or several, a number?"""
    if isinstance(answer, tuple):
        return all(isinstance(part, str) or (isinstance(part, Mapping) and "box" in part) for part in answer)
    return isinstance(answer, str | float)


def painted(image: Image, prediction: Prediction, classes: Sequence[str], *, boxes: bool) -> Image:
    """A copy of `image`, large enough to be read, with what was answered. `boxes`: answers are places of objects."""
    if not boxes:
        answer, score = prediction.answer, prediction.score
        return captioned(image, _caption(answer, score), _caption(_numbers(answer, classes), score))
    return framed(image, [found_box(one, classes) for one in prediction.answer])


def found_box(one: Mapping[str, Any], classes: Sequence[str]) -> Framed:
    """An object as `predict` answers it."""
    kind = classes.index(one["label"])
    score = one.get("score")
    text = _name(one["label"], kind)
    return Framed(one["box"], text if score is None else f"{text} {score:.2f}", kind)


def framed(image: Image, boxes: Sequence[Framed], least: int = LEAST) -> Image:
    """A copy with frames, the first ones on top: they are the surest."""
    from PIL import ImageDraw

    sheet = canvas(image, least)
    draw = ImageDraw.Draw(sheet.image)
    for one in reversed(boxes):
        _frame(draw, sheet, one)
    for one in reversed(boxes):
        if one.text:
            _tag(draw, sheet, one)
    return sheet.image


def captioned(image: Image, text: str, otherwise: str = "?", least: int = LEAST) -> Image:
    """A copy with a line of text below it: nothing of the picture is covered. `otherwise`: what is written where no font has the letters."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    sheet = canvas(image, least)
    size = sheet.letters + 3
    text, found = written(text, otherwise, size)
    # A picture that is high and narrow still has a line that can be read.
    width = max(sheet.image.width, min(LEAST, round(found.getlength(text)) + size))
    whole = Pillow.new("RGB", (width, sheet.image.height + 2 * size), _PAPER)
    whole.paste(sheet.image, ((width - sheet.image.width) // 2, 0))
    shown = shortened(text, found, width - size)
    ImageDraw.Draw(whole).text((width / 2, sheet.image.height + size), shown, fill=_INK, font=found, anchor="mm")
    return whole


def _caption(answer: Any, score: float | None) -> str:
    if isinstance(answer, tuple):
        text = ", ".join(map(str, answer)) or in_language("none", "无")
    else:
        text = f"{answer:.6g}" if isinstance(answer, float) else " ".join(str(answer).split())
    return text if score is None else f"{text}  {score:.3f}"


def _numbers(answer: Any, classes: Sequence[str]) -> Any:
    """Classes by their numbers, from 1 on."""
    if isinstance(answer, tuple):
        return tuple(_numbers(part, classes) for part in answer)
    return f"#{classes.index(answer) + 1}" if answer in classes else "?"


def _name(label: str, kind: int) -> str:
    """The label, or the number of the class, from 1 on, where no font of this machine can write it."""
    return written(" ".join(label.split()), f"#{kind + 1}", 12)[0]


def _corners(sheet: Canvas, box: Sequence[float]) -> tuple[float, float, float, float]:
    """In pixels of the copy, all of the frame inside of it."""
    wide, high, half = *sheet.image.size, sheet.line / 2
    left, top, right, bottom = (side * sheet.scale for side in box)
    inside = (min(max(left, half), wide - half - 1), min(max(top, half), high - half - 1))
    return *inside, min(max(right, inside[0]), wide - half - 1), min(max(bottom, inside[1]), high - half - 1)


def _frame(draw: ImageDraw, sheet: Canvas, one: Framed) -> None:
    left, top, right, bottom = _corners(sheet, one.box)
    colour, dashes = pen(one.kind)
    line = sheet.line
    # A thin edge in ink that contrasts keeps a frame apart from what it lies upon.
    draw.rectangle(
        (left - line / 2 - 1, top - line / 2 - 1, right + line / 2 + 1, bottom + line / 2 + 1), outline=ink(colour), width=1
    )
    pattern = tuple(float(length * line) for length in dashes)
    corners = (left, top), (right, top), (right, bottom), (left, bottom)
    for side in pairwise((*corners, corners[0])):
        stroke(draw, side, colour, pattern, line)


def _tag(draw: ImageDraw, sheet: Canvas, one: Framed) -> None:
    """What stands beside a frame: above it, or inside where there is no room."""
    text, found = written(one.text, f"#{one.kind + 1}", sheet.letters)
    colour, _ = pen(one.kind)
    left, top, *_ = _corners(sheet, one.box)
    shown = shortened(text, found, sheet.image.width - 4)
    wide, high = found.getlength(shown) + 6, sheet.letters + 4
    x = max(0.0, min(left - sheet.line / 2, sheet.image.width - wide))
    y = top - sheet.line / 2 - high if top - sheet.line / 2 >= high else top + sheet.line / 2
    draw.rectangle((x, y, x + wide, y + high), fill=colour)
    draw.text((x + 3, y + high / 2), shown, fill=ink(colour), font=found, anchor="lm")
