"""Against Pillow, which does the same to bytes."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from zhuji.nn.pictures import colours

STEP = 1.01 / 255
"""Pillow rounds to bytes."""


def pictures(channels=3):
    smooth = np.random.default_rng(0).integers(30, 200, (2, 4, 5, channels), dtype=np.uint8)
    return smooth.repeat(16, 1).repeat(16, 2)


def as_values(array):
    return torch.from_numpy(array).float() / 255


def by_pillow(array, change):
    return as_values(np.stack([np.asarray(change(Image.fromarray(each))) for each in array]))


def one(number):
    return torch.full((2,), float(number))


@pytest.mark.parametrize("factor", [0.4, 1.0, 1.3])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_as_pillow_enhances(name, factor):
    kinds = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}
    array = pictures()
    given = {"brightness": one(1), "contrast": one(1), "saturation": one(1), name: one(factor)}
    expected = by_pillow(array, lambda image: kinds[name](image).enhance(factor))
    # Pillow rounds the mean, or each pixel's grey, before it goes away from it.
    torch.testing.assert_close(colours.jittered(as_values(array), **given), expected, atol=2 * STEP, rtol=0)


def test_rows_have_their_own_factors():
    values = as_values(pictures())
    found = colours.jittered(values, brightness=torch.tensor([0.5, 1.0]), contrast=one(1))
    torch.testing.assert_close(found, values * torch.tensor([0.5, 1.0])[:, None, None, None])


def test_hue_turns_colours_and_leaves_grey():
    grey = torch.full((1, 2, 2, 3), 0.4)
    turned = [torch.tensor([0.3])] * 1
    torch.testing.assert_close(
        colours.jittered(grey, brightness=one(1)[:1], contrast=one(1)[:1], hue=turned[0]), grey, atol=1e-5, rtol=0
    )
    reddish = torch.tensor([0.55, 0.45, 0.45]).expand(1, 1, 1, 3)
    found = colours.jittered(reddish, brightness=one(1)[:1], contrast=one(1)[:1], hue=torch.tensor([1 / 3]))
    assert colorsys.rgb_to_hsv(*found.flatten().tolist())[0] == pytest.approx(1 / 3, abs=0.05) or colorsys.rgb_to_hsv(
        *found.flatten().tolist()
    )[0] == pytest.approx(2 / 3, abs=0.05)
    torch.testing.assert_close(colours.grey(found), colours.grey(reddish), atol=1e-5, rtol=0)
    back = colours.jittered(found, brightness=one(1)[:1], contrast=one(1)[:1], hue=torch.tensor([-1 / 3]))
    torch.testing.assert_close(back, reddish.contiguous(), atol=1e-5, rtol=0)


def test_grey_pictures_have_brightness_and_contrast_alone():
    values = as_values(pictures(1))
    found = colours.jittered(values, brightness=one(0.5), contrast=one(1), saturation=one(3), hue=one(0.2))
    torch.testing.assert_close(found, values * 0.5)


@pytest.mark.parametrize(
    "change, pillow",
    [
        (colours.stretched, ImageOps.autocontrast),
        (colours.equalised, ImageOps.equalize),
        (lambda v: colours.solarised(v, one(128 / 255)), lambda image: ImageOps.solarize(image, 128)),
        (lambda v: colours.coarsened(v, one(4)), lambda image: ImageOps.posterize(image, 4)),
        (lambda v: colours.sharpened(v, one(1.6)), lambda image: ImageEnhance.Sharpness(image).enhance(1.6)),
    ],
    ids=["autocontrast", "equalize", "solarize", "posterize", "sharpness"],
)
def test_as_pillow_operates(change, pillow):
    array = pictures()
    found = change(as_values(array))
    expected = by_pillow(array, pillow)
    # Equalising, Pillow counts in whole steps of the histogram, here of 19 pixels, which is up to one in 19 off; blurring, it rounds first.
    tolerance = {colours.equalised: 1 / 19}.get(change, 2 * STEP)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("change", [colours.stretched, colours.equalised])
def test_a_picture_of_one_colour_stays(change):
    flat = torch.full((1, 4, 4, 3), 102 / 255)
    torch.testing.assert_close(change(flat), flat)


def test_a_picture_without_an_inside_cannot_be_sharpened():
    thin = torch.rand(2, 2, 9, 3)
    assert torch.equal(colours.sharpened(thin, one(2)), thin)
