# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""Pictures made worse in ways that happen to pictures, each in five severities: seven of the fifteen of Hendrycks and Dietterich 2019 (section 3.1), with the
numbers of the authors' own programs: those for CIFAR-10-C of pictures up to `SMALL` pixels a side, those for ImageNet-C of larger ones.

Nothing moves, so boxes and labels stay true. Shapes: H rows, W columns, C colours.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zhuji.core.records import Picture
from zhuji.core.seed import stream
from zhuji.data.pictures import opened

if TYPE_CHECKING:
    from PIL.Image import Image

SMALL = 64
"""Longer side up to which a picture is small: less would already make it unrecognisable."""
SEVERITIES = (1, 2, 3, 4, 5)
_SMALL_SIDE, _LARGE_SIDE = 32, 224
"""Shorter sides of the pictures for which the numbers were made: a blur reaches as far in proportion."""

STRENGTHS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "noise": ((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot_noise": ((500, 250, 100, 75, 50), (60, 25, 12, 5, 3)),
    "blur": ((0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6)),
    "brightness": ((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": ((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "jpeg": ((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
    "pixelate": ((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),
}
"""Of small and of larger pictures: the deviation of Gaussian noise and the light of shot noise, on a scale from 0 to 1; the deviation of a Gaussian blur in pixels;
what is added to the value (HSV); the share of the contrast that is left; the quality of a JPEG; the share of a side's pixels that is left."""


def corrupted(picture: Picture, name: str, severity: int, seed: int = 0, key: str = "") -> Picture:
    """The picture, upright, made worse, as the bytes of a PNG. Chance, where there is some, is that of `seed` and `key`: the same picture under the same key
    becomes the same. Raises PictureError."""
    image = opened(picture).image
    small = max(image.size) <= SMALL
    strength = STRENGTHS[name][0 if small else 1][severity - 1]
    chance = stream(seed, "corruption", name, severity, key)
    if name == "blur":
        strength *= min(image.size) / (_SMALL_SIDE if small else _LARGE_SIDE)
    file = io.BytesIO()
    _WAYS[name](image, strength, chance).save(file, "PNG", compress_level=1)
    return Picture(data=file.getvalue())


def _noise(image: Image, strength: float, chance: np.random.Generator) -> Image:
    shares = _shares(image)
    return _image(shares + chance.normal(0, strength, shares.shape))


def _shot_noise(image: Image, strength: float, chance: np.random.Generator) -> Image:
    return _image(chance.poisson(_shares(image) * strength) / strength)


def _blur(image: Image, strength: float, _: np.random.Generator) -> Image:
    from PIL import ImageFilter

    return image.filter(ImageFilter.GaussianBlur(strength))


def _brightness(image: Image, strength: float, _: np.random.Generator) -> Image:
    """More of the value of HSV, which is the largest colour; hue and saturation stay."""
    shares = _shares(image)
    value = shares.max(-1, keepdims=True)
    lighter = np.clip(value + strength, 0, 1)
    return _image(np.where(value > 0, shares / np.maximum(value, 1e-9), 1.0) * lighter)


def _contrast(image: Image, strength: float, _: np.random.Generator) -> Image:
    """Nearer to the mean of each colour."""
    shares = _shares(image)
    mean = shares.mean((0, 1), keepdims=True)
    return _image((shares - mean) * strength + mean)


def _jpeg(image: Image, strength: float, _: np.random.Generator) -> Image:
    from PIL import Image as Pillow

    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(strength))
    return Pillow.open(file)


def _pixelate(image: Image, strength: float, _: np.random.Generator) -> Image:
    from PIL.Image import Resampling

    size = max(1, int(image.width * strength)), max(1, int(image.height * strength))
    return image.resize(size, Resampling.BOX).resize(image.size, Resampling.NEAREST)


_WAYS: dict[str, Callable[[Image, float, np.random.Generator], Image]] = {
    "noise": _noise, "shot_noise": _shot_noise, "blur": _blur, "brightness": _brightness, "contrast": _contrast, "jpeg": _jpeg,
    "pixelate": _pixelate,
}  # fmt: skip


def _shares(image: Image) -> np.ndarray:
    """`(H, W, C)` float64 on a scale from 0 to 1."""
    array = np.asarray(image, dtype=np.float64) / 255
    return array if array.ndim == 3 else array[..., None]


def _image(shares: np.ndarray) -> Image:
    from PIL import Image as Pillow

    eight = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    return Pillow.fromarray(eight[..., 0] if eight.shape[-1] == 1 else eight)
