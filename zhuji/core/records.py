"""One row of data once its columns have found their roles; knows no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was not decoded: a file, or its bytes (from a table, or sent by somebody)."""

    path: str = ""
    data: bytes | None = None


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


@dataclass(frozen=True, slots=True)
class Record:
    """`input` is what the modality reads (a str for text, a `Picture`); `label` what the task learns: a class name, a tuple of class
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
