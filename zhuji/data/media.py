"""Kinds of inputs that are files of their own, pictures and sounds, and all that reading a data set must know of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zhuji.core.records import Medium, Picture, Record, Sound
from zhuji.data import cells, marks, names, pictures, sounds

OFFSET, SECONDS = "offset", "duration"
"""Columns of a manifest that lists pieces of sounds: where each begins, and how long it is, in seconds. Without the first the second is only told."""


@dataclass(frozen=True)
class Kind:
    """`role`: of the column, and of the setting that names it; `reads`: as a modality says what it reads; `one`: how a row without any is told."""

    role: str
    reads: str
    one: str
    medium: type[Medium]
    endings: tuple[str, ...]
    begins: Callable[[bytes], bool]
    """Do a file's first bytes look like one?"""
    look: Callable[[Any], tuple[Medium, tuple[str, ...]]]
    """One with its mark, and what was done to it; so it is known that it can be decoded whole. Raises MediumError."""
    hints: tuple[str, ...]
    """Names of columns that hold them."""

    def is_one(self, value: Any) -> bool:
        """Is a cell one, its bytes or the name of its file?"""
        if isinstance(value, str):
            return value.strip().lower().endswith(self.endings)
        return isinstance(value, self.medium) or (isinstance(value, bytes) and self.begins(value))

    def of(self, values: Mapping[str, Any], column: str, folder: Path) -> Medium | None:
        """The one in a row's cell: itself, its bytes, or a name of its file as seen from `folder`; None where there is nothing."""
        value = values.get(column)
        if isinstance(value, Medium | None):
            found = value
        elif isinstance(value, bytes):
            found = self.medium(data=value)
        else:
            name = cells.cell_text(value).strip()
            found = self.medium(str(folder / name)) if name else None
        return _piece(found, values) if isinstance(found, Sound) else found


PICTURES = Kind("image", "pictures", "picture", Picture, pictures.ENDINGS, pictures.is_picture, marks.marked, names.IMAGE)
SOUNDS = Kind("sound", "sounds", "sound", Sound, sounds.ENDINGS, sounds.is_sound, sounds.heard, names.SOUND)
KINDS = (PICTURES, SOUNDS)
ENDINGS = tuple(ending for kind in KINDS for ending in kind.endings)


def kind_of(medium: Medium) -> Kind:
    return next(kind for kind in KINDS if isinstance(medium, kind.medium))


def seconds_of(raw: Any) -> float:
    """Of a sound that was listened to; 0 of all else."""
    return (raw.length or 0.0) if isinstance(raw, Sound) else 0.0


def heard_in(record: Record) -> float:
    """Seconds of the sound of a row, be it what is read or what is learned; 0 of one without."""
    return seconds_of(record.input) + seconds_of(record.target)


def of_bytes(data: bytes, path: str = "") -> Medium:
    """Bytes out of a table: a sound where they or the path say so, else a picture."""
    return (Sound if sounds.is_sound(data) or path.lower().endswith(sounds.ENDINGS) else Picture)(path, data)


def of_path(path: str) -> Medium:
    """A file that a table names beside the bytes that it does not hold."""
    return (Sound if path.lower().endswith(sounds.ENDINGS) else Picture)(path)


def _piece(sound: Sound, values: Mapping[str, Any]) -> Sound:
    start, seconds = (_told(values.get(name)) for name in (OFFSET, SECONDS))
    return sound if start is None else replace(sound, start=start, seconds=seconds)


def _told(cell: Any) -> float | None:
    """None of an empty cell. What is no number is no place either, and NaN is refused as such."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, float) and math.isnan(cell):
        return None  # how tables without nothing write nothing
    found = cells.number(cell)
    return math.nan if found is None else found
