"""Worse pictures, against the definitions worked out by hand, and what must hold for all of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from zhuji.core.records import Picture
from zhuji.core.unreadable import BadPicture
from zhuji.data.corruptions import SEVERITIES, STRENGTHS, corrupted
from zhuji.data.pictures import pixels


def made(array: np.ndarray) -> Picture:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return Picture(data=file.getvalue())


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    """A picture with large and small structures, as photographs have."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((32, 32), Image.Resampling.BICUBIC)) // 2 + 40


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_severity_is_worse_and_the_size_stays(name: str, smooth: np.ndarray) -> None:
    for array in (smooth, np.asarray(Image.fromarray(smooth).resize((240, 224)))):
        found = [pixels(corrupted(made(array), name, severity)) for severity in SEVERITIES]
        assert all(one.shape == array.shape for one in found)
        distances = [far(one, array) for one in found]
        assert min(distances) > 0 and max(distances) == distances[-1]
        # Of 32 pixels 27 are not always farther from the picture than 28: squares fall upon its edges or do not.
        assert name == "pixelate" or distances == sorted(distances)


@pytest.mark.parametrize("name", STRENGTHS)
def test_chance_is_that_of_seed_and_row(name: str, smooth: np.ndarray) -> None:
    def data(seed: int, key: str) -> bytes | None:
        return corrupted(made(smooth), name, 3, seed, key).data

    assert data(0, "a") == data(0, "a")
    noisy = "noise" in name
    assert (data(0, "a") != data(1, "a")) == noisy and (data(0, "a") != data(0, "b")) == noisy


def test_noise_has_the_deviation_that_is_stated() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    for severity, deviation in zip(SEVERITIES, STRENGTHS["noise"][0], strict=True):
        found = pixels(corrupted(made(grey), "noise", severity)) / 255
        assert found.std() == pytest.approx(deviation, rel=0.05) and found.mean() == pytest.approx(128 / 255, abs=0.005)
    found = pixels(corrupted(made(grey), "shot_noise", 5)) / 255
    # Of light L at a share s the variance is s / L.
    assert found.var() == pytest.approx(128 / 255 / STRENGTHS["shot_noise"][0][4], rel=0.1)


def test_contrast_brightness_and_pixels_are_what_they_are_called(smooth: np.ndarray) -> None:
    found = pixels(corrupted(made(smooth), "contrast", 5)).astype(float)
    mean = smooth.mean((0, 1))
    assert np.abs(found - ((smooth - mean) * 0.15 + mean)).max() <= 0.51
    lighter = pixels(corrupted(made(smooth), "brightness", 2)).astype(float)
    assert np.abs(lighter.max(-1) - np.minimum(smooth.max(-1) + 25.5, 255)).max() <= 1
    share = smooth / smooth.max(-1, keepdims=True)
    assert np.abs(lighter / lighter.max(-1, keepdims=True) - share).max() < 0.02, "hue and saturation stay"
    assert corrupted(made(np.zeros((4, 4, 3), np.uint8)), "brightness", 1).data, "black has no hue"
    blocks = pixels(corrupted(made(np.asarray(Image.fromarray(smooth).resize((128, 128)))), "pixelate", 5))
    assert (blocks[::4, ::4] == blocks[1::4, 1::4]).all(), "a quarter of the pixels a side is left"


def test_a_blur_reaches_as_far_in_proportion(smooth: np.ndarray) -> None:
    for side, radius in ((32, 1.0), (64, 2.0), (224, 6.0), (448, 12.0)):
        image = Image.fromarray(smooth).resize((side, side))
        expected = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)))
        assert (pixels(corrupted(made(np.asarray(image)), "blur", 5)) == expected).all()


def test_grey_stays_grey_and_pictures_are_turned_upright_first(smooth: np.ndarray) -> None:
    grey = corrupted(made(smooth[..., 0]), "noise", 1)
    with Image.open(io.BytesIO(grey.data or b"")) as image:
        assert image.mode == "L"
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.fromarray(smooth[:16]).save(file, "PNG", exif=exif)
    assert pixels(corrupted(Picture(data=file.getvalue()), "contrast", 1)).shape == (32, 16, 3)
    with pytest.raises(BadPicture):
        corrupted(Picture(data=b"x"), "noise", 1)
