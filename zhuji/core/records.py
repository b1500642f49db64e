"""One row of data once its columns have found their roles; knows no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Label = str | float | tuple[str, ...] | None

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Record:
    """`input` is what the modality reads (a str for text); `label` what the task learns: a class name, a tuple of class
    names (many labels), a number (regression) or None (unlabelled).

    `id` is unique in the data set and stays the same from read to read: the id column, else `row-<number>`.
    `row` is the 1-based number of the data row in `file`.
    """

    id: str
    input: Any
    label: Label = None
    group: str | None = None
    time: str | None = None
    split: str | None = None
    file: str = ""
    row: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
