import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zhuji.core.records import Picture
from zhuji.core.unreadable import BadPicture, HugePicture
from zhuji.data import pictures
from zhuji.data.pictures import is_picture, opened, pixels, quietly, size_of

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (6, 4, 3), dtype=np.uint8)


def written(image: Image.Image, form: str, **how: object) -> Picture:
    file = io.BytesIO()
    image.save(file, form, **how)
    return Picture(data=file.getvalue())


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "WEBP"])
def test_what_loses_nothing_gives_back_the_pixels(form: str) -> None:
    how = {"lossless": True} if form == "WEBP" else {}
    picture = written(Image.fromarray(COLOURS), form, **how)
    assert np.array_equal(pixels(picture), COLOURS)
    assert pixels(picture, 1).shape == (6, 4, 1)
    assert size_of(picture) == (4, 6)
    assert opened(picture).changes == ()
    assert is_picture(picture.data or b"")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_set_upright(form: str, orientation: int) -> None:
    """Against what Pillow's own `exif_transpose` makes of it."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = written(Image.fromarray(COLOURS), form, exif=exif)
    whole = Image.open(io.BytesIO(picture.data or b""))
    whole.load()
    expected = np.asarray(ImageOps.exif_transpose(whole).convert("RGB"))
    assert np.array_equal(pixels(picture), expected)
    assert size_of(picture) == (expected.shape[1], expected.shape[0]) == opened(picture).size


def test_clear_pixels_are_white() -> None:
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    found = opened(written(clear, "PNG"))
    assert np.asarray(found.image).tolist() == [[[255, 0, 0], [255, 255, 255]]]
    assert found.changes == ("laid over white",)
    grey = Image.new("LA", (1, 1), (0, 128))
    assert np.asarray(opened(written(grey, "PNG")).image).tolist() == [[127]]
    mapped = Image.new("P", (2, 1), 0)
    mapped.putpalette([0, 0, 255, 0, 255, 0])
    mapped.putpixel((1, 0), 1)
    assert pixels(written(mapped, "PNG", transparency=0)).tolist() == [[[255, 255, 255], [0, 255, 0]]]
    assert pixels(written(mapped, "PNG")).tolist() == [[[0, 0, 255], [0, 255, 0]]]


def test_numbers_of_other_kinds_become_eight_bits() -> None:
    wide = Image.fromarray(np.array([[0, 257, 65_535]], np.uint16))
    for form in ("PNG", "TIFF"):
        assert np.asarray(opened(written(wide, form)).image).tolist() == [[0, 1, 255]]
    assert np.asarray(opened(written(Image.fromarray(np.array([[0, 65_535]], np.int32)), "TIFF")).image).tolist() == [[0, 255]]
    shares = opened(written(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF"))
    assert np.asarray(shares.image).tolist() == [[0, 128, 255]] and shares.changes == ("numbers made 8 bits",)
    assert np.asarray(opened(written(Image.fromarray(np.array([[0, 200]], np.float32)), "TIFF")).image).tolist() == [[0, 200]]


def test_a_number_that_stands_for_nothing_is_white_and_the_others_stay() -> None:
    """A greyscale PNG of 16 bits may name one (PNG specification, 11.3.2.1, tRNS)."""
    named = opened(written(Image.fromarray(np.array([[0, 257, 30_000, 65_535]], np.uint16)), "PNG", transparency=257))
    assert np.asarray(named.image).tolist() == [[0, 255, 117, 255]] and named.image.mode == "L"
    assert named.changes == ("16 bits made 8", "laid over white")


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        (np.array([[0, np.nan]], np.float32), "values that are not numbers"),
        (np.array([[0, np.inf]], np.float32), "values that are not numbers"),
        (np.array([[0, 300]], np.float32), "values out of range"),
        (np.array([[0, -1]], np.int32), "values out of range"),
    ],
)
def test_numbers_that_are_no_brightness_are_refused(values: np.ndarray, cause: str) -> None:
    with pytest.raises(BadPicture) as caught:
        opened(written(Image.fromarray(values), "TIFF"))
    assert caught.value.cause == cause


def test_inks_become_colours_and_only_the_first_frame_is_kept() -> None:
    inks = opened(written(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF"))
    assert np.asarray(inks.image)[0, 0].tolist() == [255, 0, 0] and inks.changes == ("CMYK turned into RGB",)
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        found = opened(written(frames[0], form, save_all=True, append_images=frames[1:]))
        assert np.asarray(found.image.convert("RGB"))[0, 0, 0] > 250, form
        assert "first of several frames kept" in found.changes


def test_frames_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight megabytes of nothing but frames cost nine seconds."""
    from PIL.GifImagePlugin import GifImageFile

    looked: list[int] = []
    seek = GifImageFile._seek

    def counted(image: GifImageFile, frame: int, *more: bool) -> None:
        looked.append(frame)
        seek(image, frame, *more)

    monkeypatch.setattr(GifImageFile, "_seek", counted)
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue", "green", "yellow")]
    found = opened(written(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert "first of several frames kept" in found.changes and max(looked) == 1


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty picture file"),
        (b"not a picture at all", "not a picture"),
        (b"\xff\xd8\xff", "truncated picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\nshowpage\n", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, cause: str) -> None:
    with quietly(), pytest.raises(BadPicture) as caught:
        opened(Picture(data=data))
    assert caught.value.cause == cause


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, cause in (
        (tmp_path / "a.png", "no such picture"),
        (tmp_path, "not a regular file"),
        (tmp_path / "pipe.png", "not a regular file"),
    ):
        with pytest.raises(BadPicture) as caught:
            opened(Picture(str(path)))
        assert caught.value.cause == cause
    with pytest.raises(BadPicture, match="no such picture"):
        opened(Picture("a\0b.png"))


def test_half_a_picture_is_refused() -> None:
    for form in ("JPEG", "PNG", "TIFF", "BMP", "WEBP"):
        data = written(Image.fromarray(np.tile(COLOURS, (9, 9, 1))), form).data or b""
        with quietly(), pytest.raises(BadPicture):
            opened(Picture(data=data[: len(data) // 2]))


def test_a_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = written(Image.new("1", (3000, 3000)), "PNG")
    assert len(bomb.data or b"") < 10_000
    monkeypatch.setattr(pictures, "MOST_PIXELS", 3000 * 3000 - 1)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("a pixel was decoded"))
    for ask in (opened, size_of):
        with pytest.raises(HugePicture) as caught:
            ask(bomb)
        assert caught.value.cause == "too many pixels"
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    with pytest.raises(HugePicture) as caught:
        opened(bomb)
    assert caught.value.cause == "picture file too large"


def test_damaged_exif_is_told_and_costs_nothing() -> None:
    whole = written(
        Image.fromarray(np.tile(COLOURS, (4, 4, 1))), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 3
    )
    with quietly():
        found = opened(whole)
        assert found.image.size == (16, 24)


def test_a_large_jpeg_may_be_decoded_coarsely() -> None:
    smooth = Image.linear_gradient("L").resize((1600, 1200)).convert("RGB")
    found = opened(written(smooth, "JPEG"), least=(64, 64))
    assert found.size == (1600, 1200)
    assert 128 <= found.image.height < 1200
    assert opened(written(smooth, "PNG"), least=(64, 64)).image.size == (1600, 1200)
