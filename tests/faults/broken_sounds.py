"""At least 100 broken, odd or hostile sounds, made by hand and by a seeded generator; the same ones every time."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.heard import coded, tone
from zhuji.data.sounds import as_wav

CLASSES = ("low", "high")
RATE = 8_000


def broken_sounds(folder: Path) -> list[Path]:
    """Makes the sounds below `folder`, in folders by class, and returns their paths: files, folders, a link and a pipe."""
    cases = [*_truncated(), *_flipped(), *_misnamed(), *_headers(), *_values(), *_kinds(), *_bytes()]
    paths: list[Path] = []
    for number, (name, data) in enumerate(cases):
        path = folder / CLASSES[number % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    assert len({path.name for path in paths}) == len(paths)
    return [*paths, *_specials(folder / CLASSES[0])]


def good_sounds(folder: Path, count: int = 24) -> None:
    """Whole sounds beside the broken ones, unlike each other; the classes differ by their pitch."""
    for number in range(count):
        hertz = (300, 1_500)[number % 2] + 17 * number
        path = folder / CLASSES[number % 2] / f"good-{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_wav(tone(hertz, 0.25 + 0.01 * number, seed=number), RATE))


def wav(data: bytes = b"\0\0" * 800, **said: int) -> bytes:
    """A WAV file whose header says what it is told to: `format`, `channels`, `rate`, `align`, `bits`, `size` of the data, `whole` of the file."""
    known = {
        "format": 1,
        "channels": 1,
        "rate": RATE,
        "align": 2,
        "bits": 16,
        "size": len(data),
        "whole": len(data) + 36,
        **said,
    }
    fmt = struct.pack(
        "<HHIIHH",
        known["format"],
        known["channels"],
        known["rate"],
        (known["rate"] * known["align"]) & 0xFFFFFFFF,
        known["align"],
        known["bits"],
    )
    return (
        b"RIFF"
        + struct.pack("<I", known["whole"])
        + b"WAVEfmt \x10\0\0\0"
        + fmt
        + b"data"
        + struct.pack("<I", known["size"])
        + data
    )


def _whole() -> dict[str, bytes]:
    """By ending: a sound in each format."""
    said = tone(440, 0.5)
    return {
        "wav": as_wav(said, RATE), "flac": coded(said, format="FLAC"), "ogg": coded(said, format="OGG"), "mp3": coded(said, format="MP3"),
        "opus": coded(said, format="OGG", subtype="OPUS"),
    }  # fmt: skip


def _truncated() -> Iterator[tuple[str, bytes]]:
    for ending, data in _whole().items():
        for share in (1, 10, 30, 50, 90):
            yield f"cut-{share}.{ending}", data[: max(1, len(data) * share // 100)]
        yield f"cut-last.{ending}", data[:-1]
        yield f"header-only.{ending}", data[:44]


def _flipped() -> Iterator[tuple[str, bytes]]:
    chance = random.Random(3)
    for ending, data in _whole().items():
        for number in range(5):
            changed = bytearray(data)
            for _ in range(12):
                changed[chance.randrange(len(changed) if number else 64)] = chance.randrange(256)
            yield f"flipped-{number}.{ending}", bytes(changed)


def _misnamed() -> Iterator[tuple[str, bytes]]:
    whole = _whole()
    yield "really-flac.wav", whole["flac"]
    yield "really-wav.flac", whole["wav"]
    yield "really-mp3.ogg", whole["mp3"]
    yield "really-ogg.mp3", whole["ogg"]
    yield "text.wav", b"This is a text that was called a sound.\n" * 20
    yield "page.mp3", b"<!DOCTYPE html><html><body>404 not found</body></html>"
    yield "picture.wav", b"\x89PNG\r\n\x1a\n" + b"\0" * 200
    yield "packed.flac", b"PK\x03\x04" + b"\0" * 200
    yield "film.ogg", b"RIFF\x24\0\0\0AVI LIST" + b"\0" * 200
    yield "aiff.wav", coded(tone(300), format="AIFF")
    yield "au.wav", coded(tone(300), format="AU")
    yield "caf.flac", coded(tone(300), format="CAF")
    yield "matlab.wav", coded(tone(300), format="MAT5")


def _headers() -> Iterator[tuple[str, bytes]]:
    yield "no-samples.wav", wav(b"")
    yield "no-samples.flac", coded(np.zeros(0, np.float32), format="FLAC")
    yield "long-claimed.wav", wav(size=0x7FFFFFF0, whole=0x7FFFFFFF)
    yield "piped.wav", wav(size=0xFFFFFFFF, whole=0xFFFFFFFF)
    yield "piped-zero.wav", wav(size=0, whole=0)
    yield "no-rate.wav", wav(rate=0)
    yield "slow.wav", wav(rate=10)
    yield "fast.wav", wav(rate=0xFFFFFFF0)
    yield "no-channels.wav", wav(channels=0)
    yield "channels-200.wav", wav(b"\0\0" * 2_000, channels=200, align=400)
    yield "channels-65535.wav", wav(channels=65_535, align=0xFFFE)
    yield "no-bits.wav", wav(bits=0)
    yield "bits-7.wav", wav(bits=7)
    yield "bits-64.wav", wav(bits=64, align=8)
    yield "unknown-coding.wav", wav(format=0x9999)
    yield "mp3-in-wav.wav", wav(format=0x55)
    yield "no-data.wav", wav()[:36]
    yield "endless-chunk.wav", wav()[:12] + b"junk\xff\xff\xff\xff" + b"\0" * 100
    yield "empty-chunks.wav", wav()[:12] + b"junk\0\0\0\0" * 200 + wav()[12:]
    yield "twice.wav", wav() + wav()
    yield "tail.wav", as_wav(tone(300), RATE) + b"\0" * 5_000


def _values() -> Iterator[tuple[str, bytes]]:
    said = tone(500, 0.4)
    few, many, infinite = said.copy(), said.copy(), said.copy()
    few[7], infinite[9], many[:2_000] = np.nan, np.inf, np.nan
    for name, values in (("few-nan", few), ("all-nan", np.full(800, np.nan)), ("many-nan", many), ("infinite", infinite),
                         ("far", 1e30 * said), ("tiny", 1e-30 * said), ("loud", 4 * said)):  # fmt: skip
        yield f"{name}.wav", coded(values, format="WAV", subtype="FLOAT")
    yield "double.wav", coded(said.astype(np.float64), format="WAV", subtype="DOUBLE")
    yield "silence.wav", as_wav(np.zeros(4_000), RATE)
    yield "silence.flac", coded(np.zeros(4_000), format="FLAC")
    yield "clipped.wav", as_wav(9 * said, RATE)
    yield "offset.wav", as_wav(0.9 + 0 * said, RATE)
    yield "one-sample.wav", as_wav(said[:1], RATE)
    yield "two-samples.flac", coded(said[:2], format="FLAC")


def _kinds() -> Iterator[tuple[str, bytes]]:
    for subtype in ("PCM_U8", "PCM_24", "PCM_32", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"):
        yield f"kind-{subtype}.wav", coded(tone(600, 0.4, seed=len(subtype)), format="WAV", subtype=subtype)
    for rate in (1_000, 4_000, 44_100, 96_000, 192_000, 768_000):
        yield f"rate-{rate}.wav", as_wav(tone(200, 0.1, rate, seed=rate), rate)
    for channels in (2, 6, 8, 64):
        many = np.stack([tone(200 + 9 * n, 0.1, seed=n) for n in range(channels)], 1)
        yield f"channels-{channels}.wav", as_wav(many, RATE)


def _bytes() -> Iterator[tuple[str, bytes]]:
    chance = random.Random(5)
    for number, start in enumerate(
        (b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"fLaC", b"OggS", b"ID3\x04\0\0\0\0\0\x7f", b"\xff\xfb\x90\x00")
    ):
        yield f"bytes-{number}.wav", start + chance.randbytes(700)
    yield "empty.wav", b""
    yield "empty.mp3", b""
    yield "zeros.wav", b"\0" * 1_000
    yield "one-byte.flac", b"f"


def _specials(folder: Path) -> Iterator[Path]:
    os.mkfifo(folder / "pipe.wav")
    (folder / "nowhere.wav").symlink_to("nowhere-at-all.wav")
    (folder / "circle.wav").symlink_to("circle.wav")
    yield from (folder / name for name in ("pipe.wav", "nowhere.wav", "circle.wav"))
