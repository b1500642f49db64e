# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# soundfile and soxr are typed in part only.
"""A sound's file or bytes as samples of one channel at a rate of one's own, through soundfile and soxr (an optional extra).

Whoever sends a sound may mean harm: what its header says is bounded before a sample is decoded, only formats are read whose readers run
nothing, and samples are decoded block by block, so that three hours cost no more memory than what is kept of them.
Shapes: S samples, K channels.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import math
import stat
import wave
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from zhuji.core.errors import MissingExtra, ZhujiError
from zhuji.core.files import os_reason
from zhuji.core.log import in_language
from zhuji.core.records import Sound
from zhuji.core.unreadable import BadSound, HugeSound
from zhuji.data import fingerprints
from zhuji.data.words import told

MOST_SECONDS = 24 * 3600
"""Of a file from which it is not read: what a header claims is not believed without end."""
MOST_BYTES = 1 << 33
MOST_CHANNELS = 64
RATES = (1_000, 768_000)
"""Samples a second, least and most."""
FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")
"""libsndfile's readers that are tried; others take anything for a sound, or are rare."""
ENDINGS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3")
MOST_CHUNKS = 1_000
"""Parts of a WAV file among which its samples are looked for: one that holds nothing but parts would be walked through for minutes."""
LONGEST_PAGE = 27 + 255 + 255 * 255
"""Bytes of a page of an OGG file at most (RFC 3533, section 6)."""
PIPED = (0, 0xFFFFFFFF, 0x7FFFF000)
"""Bytes of samples that a WAV file says it has where its writer could not know: ffmpeg's, and those of SoX and eSpeak."""
BLOCK = 1 << 16
"""Samples, of all channels, that are decoded at a time."""
FULL = 0.999
"""From this share of full scale a sample counts as clipped."""
CLIPPED = 0.001
"""Share of clipped samples from which a person is told."""
LOUDEST = 1 << 16
"""Times full scale from which samples are no loudness: whole numbers of 16 bits, written as they are, lie below."""
BROKEN = 0.01
"""Share of samples that are no numbers from which a sound is not used."""
_BEGINNINGS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3")


@dataclass(frozen=True)
class Header:
    """What a file says of itself. `frames`: samples of each channel, of the span that is asked for, which begins at frame `first`."""

    rate: int
    channels: int
    frames: int
    first: int
    format: str

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


@dataclass(frozen=True)
class Heard:
    """`samples (S,)` float32 of one channel in [-1, 1] as a rule; `seconds`: of the whole, `cut`: of what is left out at the end. `changes`: what
    was done to it that a person should know, by the names of the ledger."""

    samples: np.ndarray
    seconds: float
    cut: float = 0.0
    changes: tuple[str, ...] = ()


def is_sound(data: bytes) -> bool:
    """Do the first bytes look like those of a sound?"""
    if data.startswith(b"RIFF"):
        return data[8:12] == b"WAVE"
    return data.startswith(_BEGINNINGS) or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2)


def header(sound: Sound) -> Header:
    """Raises BadSound, HugeSound and MissingExtra, as do all that read."""
    with _opened(sound) as file:
        return _header(sound, file)


def heard(sound: Sound) -> tuple[Sound, tuple[str, ...]]:
    """The sound with its mark, and what a person should know of it; so it is known that it can be decoded whole. Its mark is equal for files
    that hold the same samples, whatever their format. Memory is that of a block and of the minute whose fingerprint is taken."""
    found = _Checks()
    digest = hashlib.blake2b(digest_size=fingerprints.DIGEST)
    with _opened(sound) as file:
        of = _header(sound, file)
        digest.update(str(of.rate).encode())
        room = fingerprints.SECONDS * of.rate
        first: list[np.ndarray] = []
        for block in _blocks(sound, file, of, found):
            digest.update(np.rint(np.clip(block, -1, 1) * 32_767).astype("<i2").tobytes())
            if room > 0:
                first.append(block[:room])
                room -= len(block)
    slow = np.concatenate(list(resampled(iter(first), of.rate, fingerprints.RATE)))
    return replace(sound, mark=digest.digest() + fingerprints.fingerprint(slow), length=of.seconds), found.changes(of)


def samples(sound: Sound, rate: int, longest: float | None = None) -> Heard:
    """The sound of one channel, the mean of all, at `rate` samples a second; at most `longest` seconds of it are decoded, from its beginning.
    Resampled by soxr at its high quality."""
    found = _Checks()
    with _opened(sound) as file:
        of = _header(sound, file)
        kept = of.frames if longest is None else min(of.frames, math.ceil(longest * of.rate))
        parts = list(resampled(_blocks(sound, file, replace(of, frames=kept), found), of.rate, rate))
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    most = None if longest is None else int(longest * rate)
    return Heard(values[:most], of.seconds, max(0.0, of.seconds - kept / of.rate), found.changes(of))


def streamed(sound: Sound, rate: int) -> Iterator[np.ndarray]:
    """What `samples` gives of the whole sound, block by block as it is decoded, so that its length costs no memory."""
    with _opened(sound) as file:
        of = _header(sound, file)
        yield from resampled(_blocks(sound, file, of, _Checks()), of.rate, rate)


def portable(sound: Sound, most_bytes: int, most_seconds: float) -> Sound:
    """The sound as bytes: its own where it is a whole file of at most `most_bytes` and `most_seconds`, else those of a FLAC file of its
    beginning, of one channel."""
    of = header(sound)
    whole = sound.seconds is None and not sound.start
    if whole and of.seconds <= most_seconds and _size(sound) <= most_bytes:
        return Sound(data=read_bytes(sound))
    import soundfile

    rate = min(of.rate, 16_000)
    seconds = min(most_seconds, of.seconds, most_bytes / (2 * rate))
    file = io.BytesIO()
    soundfile.write(file, samples(sound, rate, seconds).samples, rate, format="FLAC", subtype="PCM_16")
    return Sound(data=file.getvalue())


def read_bytes(sound: Sound) -> bytes:
    """The bytes of the file."""
    if sound.data is not None:
        return sound.data
    if sound.stored is not None:
        return sound.stored.read()
    with _file(sound) as file:
        return file.read()


def as_wav(values: np.ndarray, rate: int) -> bytes:
    """`values (S,)` or `(S, K)` in [-1, 1] as a WAV file of 16 bits; needs no extra."""
    file, columns = io.BytesIO(), values[:, None] if values.ndim == 1 else values
    with wave.open(file, "wb") as out:
        out.setnchannels(columns.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.rint(np.clip(columns, -1, 1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def bad(sound: Sound, cause: str, more: str = "") -> BadSound:
    """The error of a sound that cannot be read; `cause` as the ledger counts it."""
    why = in_language(f"{cause}: {more}", f"{told(cause)}：「{more}」") if more else told(cause)
    return BadSound(cause=cause, file=sound.path or None, why=why)


# ------------------------------------------------------------------------------------------------------------ decoding


class _Checks:
    """What is found wrong with samples while they pass."""

    def __init__(self) -> None:
        self.count = self.clipped = self.broken = 0
        self.loudest = 0.0
        self.silent = True

    def mixed(self, block: np.ndarray) -> np.ndarray:
        """`(S, K)` without what is no number, as one channel `(S,)`."""
        self.count += block.size
        finite = np.isfinite(block)
        if not finite.all():
            self.broken += int(finite.size - finite.sum())
            block = np.where(finite, block, np.float32(0))
        level = np.abs(block)
        self.clipped += int((level >= FULL).sum())
        self.loudest = max(self.loudest, float(level.max(initial=0.0)))
        one = block.mean(axis=1, dtype=np.float32)
        # Asked of the mixture: channels may cancel each other.
        self.silent = self.silent and not one.any()
        return one

    def changes(self, of: Header) -> tuple[str, ...]:
        found = {
            "channels mixed into one": of.channels > 1,
            "samples that are no numbers made silent": self.broken > 0,
            "clipped": self.clipped > CLIPPED * self.count,
            "louder than full scale": self.loudest > 1.0,
            "silent": self.silent,
        }
        return tuple(name for name, is_so in found.items() if is_so)


def _blocks(sound: Sound, file: Any, of: Header, checks: _Checks) -> Iterator[np.ndarray]:
    """Mono float32 `(S,)`, one after the other; as many samples as the header says. Raises BadSound where there are fewer."""
    if of.first:  # not every coding can be sought in
        file.seek(of.first)
    step, left = max(1, BLOCK // of.channels), of.frames
    while left > 0:
        block = file.read(min(step, left), dtype="float32", always_2d=True)
        if not len(block):
            break
        left -= len(block)
        yield checks.mixed(block)
    # How long an MP3 is its header estimates; a decoder's delay may be missing.
    if left > (of.rate // 10 if of.format == "MP3" else 0):
        raise bad(sound, "truncated sound")
    if checks.loudest > LOUDEST:
        raise bad(sound, "samples out of range", f"{checks.loudest:.3g}")
    if checks.broken > BROKEN * checks.count:
        raise bad(sound, "samples that are not numbers")


def resampled(blocks: Iterator[np.ndarray], have: int, want: int) -> Iterator[np.ndarray]:
    """Blocks `(S,)` float32 at another rate, by soxr at its high quality; however they are cut, the samples are the same."""
    if have == want:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(have, want, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _header(sound: Sound, file: Any) -> Header:
    """Within its bounds, for the span that is asked for."""
    if file.format not in FORMATS:
        raise bad(sound, "not a sound", str(file.format))
    rate, channels, frames = int(file.samplerate), int(file.channels), int(file.frames)
    if not RATES[0] <= rate <= RATES[1]:
        raise bad(sound, "sample rate out of range", f"{rate:,} Hz")
    if channels > MOST_CHANNELS:
        limit = in_language(f"{MOST_CHANNELS} channels", f"{MOST_CHANNELS} 个声道")
        raise HugeSound(cause="too many channels", file=sound.path or None, limit=limit, value=channels)
    if frames > MOST_SECONDS * rate:
        limit = in_language(f"{MOST_SECONDS // 3600} hours", f"{MOST_SECONDS // 3600} 小时")
        hours = f"{frames / rate / 3600:.1f} h"
        raise HugeSound(cause="sound too long", file=sound.path or None, limit=limit, value=hours)
    first = round(sound.start * rate) if math.isfinite(sound.start) else -1
    most = frames - first
    span = most if sound.seconds is None else round(sound.seconds * rate) if math.isfinite(sound.seconds) else -1
    if frames <= 0:
        raise bad(sound, "no samples")
    # What a manifest says is rounded.
    if first < 0 or first >= frames or span <= 0 or span > most + rate // 10:
        raise bad(sound, "span outside of its file")
    return Header(rate, channels, min(span, most), first, str(file.format))


@contextmanager
def _opened(sound: Sound) -> Generator[Any]:
    """The file as soundfile reads it; whatever it stumbles over is the sound's fault."""
    try:
        soundfile, _ = (importlib.import_module(name) for name in ("soundfile", "soxr"))
    except ImportError as error:
        raise MissingExtra(what=in_language("sound", "声音"), package=error.name or "soundfile", extra="speech") from None
    with _file(sound) as raw:
        beginning = raw.read(256)
        if not beginning:
            raise bad(sound, "empty sound file")
        if _cut_short(raw):
            raise bad(sound, "truncated sound")
        raw.seek(0)
        try:
            with soundfile.SoundFile(raw) as file:
                yield file
                # An MP3's length is estimated by its first frames where it does not tell: what lies behind is never decoded.
                if file.format == "MP3" and file.tell() == file.frames and is_sound(raw.read(16)):
                    raise bad(sound, "longer than its header says")
        except ZhujiError:
            raise
        except Exception as error:
            cause, said = "damaged sound" if is_sound(beginning) else "not a sound", " ".join(str(error).split())
            raise bad(sound, cause, (said.partition(">: ")[2] or said)[:100]) from error


def _cut_short(file: IO[bytes]) -> bool:
    """Does a WAV file end before its samples do, or an OGG file within a page? libsndfile reads what is left and says nothing. Of a size that is written
    to a pipe nothing is known."""
    size = file.seek(0, io.SEEK_END)
    start = _peeked(file, 0, 12)
    if start.startswith(b"OggS"):
        return _page_cut_short(_peeked(file, max(0, size - LONGEST_PAGE), LONGEST_PAGE))
    if not start.startswith(b"RIFF") or not is_sound(start):
        return False
    place = 12
    for _ in range(MOST_CHUNKS):
        chunk = _peeked(file, place, 8)
        if len(chunk) < 8:
            break
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return length not in PIPED and place + 8 + length > size
        place += 8 + length + length % 2
    return False


def _page_cut_short(end: bytes) -> bool:
    """Whether the last OGG page that begins in the `end` of a file lacks some of its bytes (RFC 3533, section 6)."""
    page = end[max(0, end.rfind(b"OggS")) :]
    sizes = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) < 27 or len(page) < 27 + page[26] + sum(sizes)


def _peeked(file: IO[bytes], place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


@contextmanager
def _file(sound: Sound) -> Generator[IO[bytes]]:
    if sound.data is not None or sound.stored is not None:
        yield io.BytesIO(read_bytes(sound))
        return
    path = Path(sound.path)
    try:
        _size(sound)
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise bad(sound, "no such sound") from None
    except OSError as error:
        raise bad(sound, "unreadable sound file", os_reason(error)) from None
    with file:
        yield file


def _size(sound: Sound) -> int:
    """Bytes of its file. Raises BadSound where it is no regular file, HugeSound, and what the operating system raises."""
    if sound.data is not None:
        return len(sound.data)
    if sound.stored is not None:
        return len(sound.stored.read())
    found = Path(sound.path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise bad(sound, "not a regular file")
    if found.st_size > MOST_BYTES:
        limit = in_language(f"{MOST_BYTES >> 30} GiB", f"{MOST_BYTES >> 30} GiB")
        raise HugeSound(cause="sound file too large", file=sound.path, limit=limit, value=found.st_size)
    return found.st_size
