# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""A picture's bytes as an upright picture of 8 bits, grey or in three colours, through Pillow.

Whoever sends a picture may mean harm: its size is bounded before a pixel is decoded, and only formats are tried whose readers run nothing.
Shapes: H rows, W columns, C colours.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zhuji.core.errors import ZhujiError
from zhuji.core.files import os_reason
from zhuji.core.log import in_language
from zhuji.core.records import Picture
from zhuji.core.unreadable import BadPicture, HugePicture
from zhuji.data.words import told

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 1 << 28
"""Bytes of a file from which it is not read."""
MOST_PIXELS = 1 << 26
"""Pixels of a picture from which it is not decoded: 8192 × 8192."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF")
"""Pillow's readers that are tried. Others start programs (EPS) or are rare."""
ENDINGS = (".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".dcm", ".dicom")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"GIF8")
_ORIENTATION = 0x0112
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF orientation -> Pillow's Transpose that makes it upright."""


@dataclass(frozen=True)
class Opened:
    """An upright picture of 8 bits, mode L or RGB. `size`: width and height as they were before it was decoded coarsely. `changes`: what was
    done to it that a person should know, by the names of the ledger."""

    image: Image
    size: tuple[int, int]
    changes: tuple[str, ...] = ()


def is_picture(data: bytes) -> bool:
    """Do the first bytes look like those of a picture?"""
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return False
    return data.startswith(_BEGINNINGS) or data[128:132] == b"DICM"


def opened(picture: Picture, least: tuple[int, int] | None = None) -> Opened:
    """The picture, decoded. `least`: a width and height that are enough: a JPEG may then be decoded more coarsely, at no less than twice that.

    Raises:
        BadPicture: no file, no picture, damaged, cut short, or of numbers that are no brightness.
        HugePicture: more bytes or pixels than are read.
        MissingExtra: DICOM without pydicom.
    """
    data = read_bytes(picture)
    if data[128:132] == b"DICM":
        from zhuji.data.dicom import dicom

        with _translated(picture):
            return Opened(*dicom(data, lambda width, height: _bounded(picture, width, height)))
    with _translated(picture):
        image = _lazy(picture, data)
        changes, size = list[str](), _upright_size(image)
        # To count frames all of them are looked for, which takes minutes in a file that holds nothing else.
        if getattr(image, "is_animated", False):
            changes.append("first of several frames kept")
        if least is not None:
            image.draft(None, (2 * max(least), 2 * max(least)))
        image.load()
        turned, more = _upright(image)
        eight, which = _eight_bits(turned, picture)
        return Opened(eight, size, (*changes, *more, *which))


def pixels(picture: Picture, channels: int = 3) -> np.ndarray:
    """The picture as uint8 `(H, W, 3)`, or `(H, W, 1)` in grey. Raises what `opened` raises."""
    image = opened(picture).image.convert("RGB" if channels == 3 else "L")
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def portable(picture: Picture, most_bytes: int, side: int) -> Picture:
    """The picture as bytes: its own where these are at most `most_bytes` and no side is longer than `side`, else those of a JPEG of which
    that is true. Raises what `opened` raises."""
    data = read_bytes(picture)
    if len(data) <= most_bytes and max(size_of(picture)) <= side:
        return Picture(data=data)
    image = opened(picture).image
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return Picture(data=file.getvalue())


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height of the upright picture, from its header alone. Raises what `opened` raises."""
    data = read_bytes(picture)
    if data[128:132] == b"DICM":
        return opened(picture).size
    with _translated(picture):
        return _upright_size(_lazy(picture, data))


def read_bytes(picture: Picture) -> bytes:
    """Its bytes. Raises BadPicture where there are none, HugePicture where there are too many."""
    if picture.stored is not None:
        return picture.stored.read()
    data = _file_bytes(picture) if picture.data is None else picture.data
    if not data:
        raise bad(picture, "empty picture file")
    if len(data) > MOST_BYTES:
        raise HugePicture(cause="picture file too large", file=_name(picture), limit=_bytes_text(), value=len(data))
    return data


def _file_bytes(picture: Picture) -> bytes:
    path = Path(picture.path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise bad(picture, "not a regular file")
        if found.st_size > MOST_BYTES:
            raise HugePicture(cause="picture file too large", file=path, limit=_bytes_text(), value=found.st_size)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise bad(picture, "no such picture") from None
    except OSError as error:
        raise bad(picture, "unreadable picture file", os_reason(error)) from None


def _bytes_text() -> str:
    return in_language(f"{MOST_BYTES >> 20} MiB", f"{MOST_BYTES >> 20} MiB")


def bad(picture: Picture, cause: str, more: str = "") -> BadPicture:
    """The error of a picture that cannot be read; `cause` as the ledger counts it."""
    why = in_language(f"{cause}: {more}", f"{told(cause)}：「{more}」") if more else told(cause)
    return BadPicture(cause=cause, file=_name(picture), why=why)


def _name(picture: Picture) -> str | None:
    return picture.path or None


def _lazy(picture: Picture, data: bytes) -> Image:
    """What Pillow finds in the header, once its size is known to be in bounds."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise bad(picture, "truncated picture" if is_picture(data) else "not a picture") from None
    _bounded(picture, *image.size)
    return image


def _bounded(picture: Picture, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise bad(picture, "damaged picture")
    if width * height > MOST_PIXELS:
        limit = in_language(f"{MOST_PIXELS:,} pixels", f"{MOST_PIXELS:,} 像素")
        raise HugePicture(cause="too many pixels", file=_name(picture), limit=limit, value=f"{width} × {height}")


@contextmanager
def _translated(picture: Picture) -> Generator[None]:
    """Whatever Pillow stumbles over is the picture's fault."""
    from PIL import Image

    try:
        yield
    except ZhujiError:
        raise
    except Image.DecompressionBombError as error:
        limit = in_language(f"{MOST_PIXELS:,} pixels", f"{MOST_PIXELS:,} 像素")
        raise HugePicture(cause="too many pixels", file=_name(picture), limit=limit) from error
    except Exception as error:
        short = isinstance(error, EOFError) or "truncated" in str(error).lower()
        cause = "truncated picture" if short else "damaged picture"
        raise bad(picture, cause, " ".join(str(error).split())[:100]) from error


@contextmanager
def quietly() -> Generator[None]:
    """Without Pillow's warnings: what they are about is told by `changes` or refused. For one thread at a time, around the threads that
    decode: filters belong to the whole process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright_size(image: Image) -> tuple[int, int]:
    """As `_upright` will leave it; Pillow turns TIFF by itself."""
    width, height = image.size
    turned = image.format != "TIFF" and _orientation(image) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def _orientation(image: Image) -> int | None:
    """What EXIF says: 1 where it says nothing, None where it cannot be read."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - whatever is wrong in there is counted as "damaged EXIF ignored"
        return None
    return found if isinstance(found, int) and 1 <= found <= 8 else None


def _upright(image: Image) -> tuple[Image, tuple[str, ...]]:
    from PIL.Image import Transpose

    turn = _orientation(image)
    if turn is None:
        return image, ("damaged EXIF ignored",)
    return (image.transpose(Transpose(_TURNS[turn])), ("turned upright",)) if turn in _TURNS else (image, ())


def _eight_bits(image: Image, picture: Picture) -> tuple[Image, tuple[str, ...]]:
    """Mode L or RGB, whatever it was."""
    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;16"):
        # Whole numbers are cut off at 255 where Pillow lays them over white.
        return _from_numbers(np.asarray(image), picture, image.info.get("transparency"))
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _over_white(image), ("laid over white",)
    if mode in ("L", "1"):
        return image.convert("L"), ()
    if mode in ("RGB", "RGBX", "P", "CMYK", "YCbCr", "LAB", "HSV"):
        return image.convert("RGB"), ("CMYK turned into RGB",) if mode == "CMYK" else ()
    raise bad(picture, "unknown kind of pixels", mode)


def _over_white(image: Image) -> Image:
    from PIL import Image

    clear = image.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    grey = image.mode in ("L", "LA", "La", "1")
    return Image.alpha_composite(white, clear).convert("L" if grey else "RGB")


def _from_numbers(values: np.ndarray, picture: Picture, clear: object) -> tuple[Image, tuple[str, ...]]:
    """Whole numbers of 16 bits as what they are of 65,535; other numbers that lie in [0, 1] as shares, in [0, 255] as they are. `clear`: the number that
    stands for nothing, where there is one."""
    from PIL import Image

    if not np.isfinite(values).all():
        raise bad(picture, "values that are not numbers")
    low, high = float(values.min()), float(values.max())
    whole = np.issubdtype(values.dtype, np.integer)
    if low < 0 or high > (65_535 if whole else 255):
        allowed = "[0, 65535]" if whole else "[0, 255]"
        raise bad(
            picture,
            "values out of range",
            in_language(f"{low:g} to {high:g}, not in {allowed}", f"{low:g} 至 {high:g}，不在 {allowed} 内"),
        )
    scale = 255 / 65_535 if whole else 255.0 if high <= 1 else 1.0
    eight = np.rint(values.astype(np.float32) * np.float32(scale)).astype(np.uint8)
    changes = ("16 bits made 8",) if whole else ("numbers made 8 bits",)
    if isinstance(clear, int):
        eight[values == clear] = 255
        changes = (*changes, "laid over white")
    return Image.fromarray(eight), changes


def grey_of(values: np.ndarray, low: float, high: float) -> Any:
    """A picture in which `low` is black and `high` is white."""
    from PIL import Image

    span = max(high - low, 1e-6)
    return Image.fromarray(np.rint(np.clip((values - low) / span, 0, 1) * 255).astype(np.uint8))
