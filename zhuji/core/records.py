"""One row of data once its columns have found their roles; knows no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from zhuji.core.log import in_language


class Stored(Protocol):
    """Bytes that are kept elsewhere."""

    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Medium:
    """What was not decoded: a file, or its bytes (from a table, or sent by somebody), here or `stored`. `mark`: how it looks or sounds, by which
    copies are found, once it was looked at."""

    path: str = ""
    data: bytes | None = field(default=None, repr=False)
    stored: Stored | None = field(default=None, repr=False)
    mark: bytes | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, raw: Any) -> Self:
        """One as it is, its bytes, or the path of its file."""
        if isinstance(raw, cls):
            return raw
        return cls(data=raw) if isinstance(raw, bytes) else cls(str(raw))


@dataclass(frozen=True, slots=True)
class Picture(Medium):
    """A picture that was not decoded; its mark is that of `data.marks`."""

    def __str__(self) -> str:
        """What a person calls it."""
        return self.path or in_language("a picture", "图片")


@dataclass(frozen=True, slots=True)
class Sound(Medium):
    """A sound that was not decoded: the whole of it, or from `start` on `seconds` of it (None: to its end); its mark is that of
    `data.fingerprints`. `length`: seconds, once it was listened to."""

    start: float = 0.0
    seconds: float | None = None
    length: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """What a person calls it."""
        name = self.path or in_language("a sound", "声音")
        return name if self.seconds is None and not self.start else f"{name}@{self.start:g}"


@dataclass(frozen=True, slots=True)
class Box:
    """Where an object stands in a picture, in pixels from the upper left corner of the upright picture; `right` and `bottom` are exclusive."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


Label = str | float | tuple[str, ...] | tuple[Box, ...] | None

SPLITS = ("train", "valid", "test")


def boxed(label: Label) -> bool:
    """Are these boxes, at least one? Without any a tuple of boxes looks like one of names."""
    return isinstance(label, tuple) and any(isinstance(part, Box) for part in label)


def named(label: Label) -> tuple[str, ...]:
    """The names in a tuple of names, as they stand; none of another label."""
    return tuple(part for part in label if isinstance(part, str)) if isinstance(label, tuple) else ()


def class_names(label: Label) -> tuple[str, ...]:
    """The classes that a tuple names or of which there is a box, each once, sorted; none of another label."""
    parts = label if isinstance(label, tuple) else ()
    return tuple(sorted({part.label if isinstance(part, Box) else part for part in parts}))


@dataclass(frozen=True, slots=True)
class Record:
    """`input` is what the modality reads (a str for text, a `Picture`, a `Sound`); `label` what the task learns: a class name, a tuple of class
    names (many labels), one tag for each word of an `input` that is a tuple of words (tagging), a tuple of boxes (objects in a
    picture; empty: there is none), a number (regression) or None (unlabelled). `target` is a second input: a translation, the other half of a pair. `lesson` is a teacher's vector, float32, for what
    is learned from vectors.

    `id` is unique in the data set and stays the same from read to read: the id column, else `row-<number>`.
    `row` is the 1-based number of the data row in `file`.
    """

    id: str
    input: Any
    label: Label = None
    target: Any = None
    lesson: Any = None
    group: str | None = None
    time: str | None = None
    split: str | None = None
    file: str = ""
    row: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
