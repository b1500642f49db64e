"""At least 150 broken, odd or hostile pictures, made by hand and by a seeded generator; the same ones every time."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

RANDOM = np.random.default_rng(7)
CLASSES = ("left", "right")


def broken_pictures(folder: Path) -> list[Path]:
    """Makes the pictures below `folder`, in folders by class, and returns their paths: files, folders, a link and a pipe."""
    cases = [*_truncated(), *_flipped(), *_misnamed(), *_bombs(), *_shapes(), *_kinds(), *_metadata(), *_bytes()]
    paths: list[Path] = []
    for number, (name, data) in enumerate(cases):
        path = folder / CLASSES[number % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    assert len({path.name for path in paths}) == len(paths)
    return [*paths, *_specials(folder / CLASSES[0])]


def good_pictures(folder: Path, count: int = 24) -> None:
    """Whole pictures beside the broken ones, unlike each other; the classes differ by their colour."""
    for number in range(count):
        kind = number % 2
        image = _scene(seed=1000 + number).convert("RGB")
        tinted = np.asarray(image).copy()
        tinted[..., 0] = np.minimum(tinted[..., 0], 60) + 190 * kind
        path = folder / CLASSES[kind] / f"good-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tinted).save(path)


def _scene(size: tuple[int, int] = (48, 40), seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def _saved(image: Image.Image, form: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def _whole() -> dict[str, bytes]:
    """By ending: a picture in each format and way of packing."""
    scene, wide = _scene(), Image.fromarray(RANDOM.integers(0, 65_536, (40, 48), dtype=np.uint16))
    return {
        "jpg": _saved(scene, "JPEG"), "progressive.jpg": _saved(scene, "JPEG", progressive=True), "png": _saved(scene, "PNG"),
        "16bit.png": _saved(wide, "PNG"), "gif": _saved(scene, "GIF"), "bmp": _saved(scene, "BMP"), "lossy.webp": _saved(scene, "WEBP"),
        "lossless.webp": _saved(scene, "WEBP", lossless=True), "tif": _saved(scene, "TIFF"),
        "lzw.tif": _saved(scene, "TIFF", compression="tiff_lzw"), "jpeg.tif": _saved(scene, "TIFF", compression="jpeg"),
        "deflate.tif": _saved(scene, "TIFF", compression="tiff_deflate"),
    }  # fmt: skip


def _truncated() -> Iterator[tuple[str, bytes]]:
    for ending, data in _whole().items():
        for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
            yield f"cut-{int(share * 100)}.{ending}", data[: int(share * len(data))]


def _flipped() -> Iterator[tuple[str, bytes]]:
    chance = random.Random(3)
    for ending, data in _whole().items():
        for number in range(4):
            changed = bytearray(data)
            for _ in range(1 + 10 * number):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            yield f"flipped-{number}.{ending}", bytes(changed)


def _misnamed() -> Iterator[tuple[str, bytes]]:
    whole = _whole()
    yield "really-jpeg.png", whole["jpg"]
    yield "really-png.jpg", whole["png"]
    yield "really-webp.gif", whole["lossy.webp"]
    yield "text.png", b"This is a text, and nobody should take it for a picture.\n" * 20
    yield "page.jpg", b"<!DOCTYPE html><html><body>404 not found</body></html>"
    yield "drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>"
    yield "printed.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"
    yield "document.tif", b"%PDF-1.7\n1 0 obj<<>>endobj\n"
    yield "archive.png", b"PK\x03\x04" + bytes(200)
    yield "program.bmp", b"\x7fELF\x02\x01\x01" + bytes(200)
    yield "phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    yield "listing.png", b'{"image": "a.png"}'


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, kind: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bombs() -> Iterator[tuple[str, bytes]]:
    pixels = _chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    yield "bomb.png", _png(60_000, 60_000, pixels)
    yield "bomb-one-bit.png", _saved(Image.new("1", (9_000, 9_000)), "PNG")
    yield "bomb-long.png", _png(2**31 - 1, 1, pixels)
    yield (
        "bomb.gif",
        b"GIF89a"
        + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0)
        + b",\0\0\0\0"
        + struct.pack("<HHB", 65_535, 65_535, 0)
        + b"\2\2D\1\0;",
    )
    yield "bomb.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "bomb-upside.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 90_000, -90_000, 1, 24, 0, 0, 0, 0, 0, 0)
    whole = bytearray(_whole()["jpg"])
    frame = whole.index(b"\xff\xc0")
    whole[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    yield "bomb.jpg", bytes(whole)
    yield "bomb.tif", _tiff(90_000, 90_000)
    # Lossless WebP: a signature, then width - 1 and height - 1 in 14 bits each.
    packed = b"\x2f" + struct.pack("<I", 16_382 | 16_382 << 14) + bytes(60)
    yield "bomb.webp", b"RIFF" + struct.pack("<I", 12 + len(packed)) + b"WEBPVP8L" + struct.pack("<I", len(packed)) + packed
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a" * (4 << 20), zip=True)
    yield "bomb-text.png", _saved(_scene(), "PNG", pnginfo=text)
    profile = b"icc\0\0" + zlib.compress(bytes(20 << 20))
    yield "bomb-profile.png", _png(4, 4, _chunk(b"iCCP", profile), _chunk(b"IDAT", zlib.compress(bytes(4 * 13))))


def _tiff(width: int, height: int, *, offset: int = 8, more: tuple[tuple[int, int, int, int], ...] = ()) -> bytes:
    tags = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
            (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, width * height & 0xFFFFFFFF), *more)  # fmt: skip
    return (
        b"II*\0"
        + struct.pack("<I", offset)
        + struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        + bytes(4)
    )


def _shapes() -> Iterator[tuple[str, bytes]]:
    for width, height in ((1, 1), (1, 10_000), (10_000, 1), (2, 3), (1, 2)):
        for form in ("PNG", "JPEG"):
            yield (
                f"shape-{width}x{height}.{form.lower()}"[:-3] + form.lower()[-3:],
                _saved(Image.new("RGB", (width, height), "red"), form),
            )
    yield "no-width.png", _png(0, 5, _chunk(b"IDAT", zlib.compress(b"")))
    yield "no-height.gif", b"GIF89a" + struct.pack("<HHBBB", 5, 0, 0, 0, 0) + b";"
    yield "no-pixels.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 0, 0, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "no-pixels.tif", _tiff(0, 0)


def _kinds() -> Iterator[tuple[str, bytes]]:
    """Kinds of pixels."""
    scene = _scene()
    for name, value in (("nan", np.nan), ("inf", np.inf), ("negative", -1.0), ("far", 1e30), ("share", 0.5), ("level", 200.0)):
        yield f"float-{name}.tif", _saved(Image.fromarray(np.full((9, 9), value, np.float32)), "TIFF")
    for name, value in (("low", -5), ("fits", 60_000), ("high", 70_000)):
        yield f"whole-{name}.tif", _saved(Image.fromarray(np.full((9, 9), value, np.int32)), "TIFF")
    for mode in ("1", "L", "LA", "P", "CMYK", "YCbCr", "LAB", "RGBA"):
        yield f"mode-{mode}.tif", _saved(Image.new(mode, (9, 9)), "TIFF")
    yield "inks.jpg", _saved(scene.convert("CMYK"), "JPEG")
    yield "inks-profile.jpg", _saved(scene.convert("CMYK"), "JPEG", icc_profile=b"no profile at all")
    yield "clear.png", _saved(Image.new("RGBA", (9, 9), (1, 2, 3, 0)), "PNG")
    mapped = Image.new("P", (9, 9), 200)
    mapped.putpalette([1, 2, 3])
    yield "beyond-palette.png", _saved(mapped, "PNG")
    frames = [_scene(seed=seed) for seed in (1, 2, 3)]
    for form, ending in (("GIF", "gif"), ("WEBP", "webp"), ("PNG", "png"), ("TIFF", "tif")):
        moving = _saved(frames[0], form, save_all=True, append_images=frames[1:])
        yield f"moving.{ending}", moving
        yield f"moving-cut.{ending}", moving[: len(moving) // 2]
    yield "no-frame.gif", b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0) + b";"


def _metadata() -> Iterator[tuple[str, bytes]]:
    scene = _scene()
    for number, exif in enumerate((b"", b"garbage", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(30),
                                   b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0")):  # fmt: skip
        yield f"exif-{number}.jpg", _saved(scene, "JPEG", exif=exif)
        yield (
            f"exif-{number}.png",
            _png(4, 4, _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")), _chunk(b"IDAT", zlib.compress(bytes(4 * 13)))),
        )
    yield "comment.jpg", _saved(scene, "JPEG", comment=b"\xff\xfe" * 500)
    yield "profile.png", _saved(scene, "PNG", icc_profile=b"no profile at all")
    yield "circle.tif", _tiff(4, 4)[:4] + struct.pack("<I", 4) + _tiff(4, 4)[8:]
    yield "far-away.tif", _tiff(4, 4, offset=0x7FFFFFFF)
    yield "odd-tag.tif", _tiff(4, 4, more=((65_000, 12, 0xFFFFFFFF, 8),))


def _bytes() -> Iterator[tuple[str, bytes]]:
    whole = _whole()["png"]
    yield "empty.png", b""
    yield "zeros.png", bytes(5000)
    yield "ones.jpg", b"\xff" * 5000
    yield "noise.png", random.Random(1).randbytes(5000)
    yield "signature-only.png", whole[:8]
    yield "bad-checksum.png", whole[:30] + bytes([whole[30] ^ 255]) + whole[31:]
    yield "behind.png", whole + b"<?php system($_GET[0]); ?>"
    yield "before.png", b"\n" + whole
    yield "twice.png", whole * 2
    yield "no-pixels.png", _png(9, 9)
    yield "few-pixels.png", _png(90, 90, _chunk(b"IDAT", zlib.compress(bytes(50))))
    yield "not-packed.png", _png(9, 9, _chunk(b"IDAT", b"not deflated"))
    yield "odd-depth.png", _png(9, 9, _chunk(b"IDAT", zlib.compress(bytes(999))), depth=7)
    yield "odd-kind.png", _png(9, 9, _chunk(b"IDAT", zlib.compress(bytes(999))), kind=5)
    yield "no-palette.png", _png(9, 9, _chunk(b"IDAT", zlib.compress(bytes(9 * 10))), kind=3)
    yield "medical.dcm", bytes(128) + b"DICM" + bytes(300)
    yield "medical-cut.dcm", bytes(128) + b"DICM"


def _specials(folder: Path) -> Iterator[Path]:
    """What is called a picture and is no file."""
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    os.mkfifo(folder / "pipe.png")
    yield from (folder / "nowhere.png", folder / "pipe.png")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    yield folder / "circle.jpg"
