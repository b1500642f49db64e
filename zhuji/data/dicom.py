# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pydicom is typed in part only.
"""Medical pictures (DICOM, PS3.3 C.7.6.3 and C.11) as one sees them, through pydicom (an optional extra)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from zhuji.core.errors import MissingExtra
from zhuji.data.pictures import grey_of


def dicom(data: bytes, bounded: Callable[[int, int], None]) -> tuple[Any, tuple[int, int], tuple[str, ...]]:
    """Image, size and changes, as in `pictures.Opened`; `bounded` raises for a width and height that are too large. Grey values go through
    the file's window where it has one, else from their least to their largest; MONOCHROME1 is turned so that black is low.

    Raises MissingExtra, and whatever pydicom raises.
    """
    try:
        from pydicom import dcmread
        from pydicom.pixels.processing import apply_color_lut, apply_rescale, convert_color_space
    except ImportError:
        raise MissingExtra(what="DICOM", package="pydicom", extra="vision") from None
    from PIL import Image

    found = dcmread(io.BytesIO(data))
    width, height = int(found.Columns), int(found.Rows)
    frames = int(found.get("NumberOfFrames", 1) or 1)
    bounded(width, height * frames)
    values, kind = found.pixel_array, str(found.PhotometricInterpretation)
    values = values[0] if frames > 1 else values
    changes = ("first of several frames kept",) if frames > 1 else ()
    if kind == "PALETTE COLOR":
        values, kind = apply_color_lut(values, found), "RGB"
        values = (values >> 8).astype(np.uint8) if values.dtype.itemsize > 1 else values
    if int(found.SamplesPerPixel) == 3 or values.ndim == 3:
        values = convert_color_space(values, kind, "RGB") if kind.startswith("YBR") else values
        return Image.fromarray(np.ascontiguousarray(values[..., :3], dtype=np.uint8)), (width, height), changes
    numbers = np.asarray(apply_rescale(values, found), dtype=np.float64)
    image = grey_of(-numbers if kind == "MONOCHROME1" else numbers, *_window(found, numbers, kind == "MONOCHROME1"))
    return image, (width, height), (*changes, "DICOM window applied")


def _window(found: Any, numbers: np.ndarray, inverted: bool) -> tuple[float, float]:
    """What is black and what is white (PS3.3 C.11.2.1.2)."""
    centre, width = found.get("WindowCenter"), found.get("WindowWidth")
    if centre is None or width is None:
        low, high = float(numbers.min()), float(numbers.max())
    else:
        one = [float(np.ravel(np.asarray(each, dtype=np.float64))[0]) for each in (centre, width)]  # several: the first
        low, high = one[0] - 0.5 - (one[1] - 1) / 2, one[0] - 0.5 + (one[1] - 1) / 2
    return (-high, -low) if inverted else (low, high)
