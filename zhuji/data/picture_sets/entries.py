"""What every set of pictures or sounds comes down to: files, each with what is known of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.log import in_language
from zhuji.core.records import Box
from zhuji.data.media import PICTURES, Kind
from zhuji.data.tables import FileRow, OfFiles

NO_AREA = "box without area left out"
Corners = tuple[str, float, float, float, float]
"""(label, left, top, right, bottom)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture or sound. `label`: its class, its boxes, or None where nothing is said; `problem`: why what is said cannot be read."""

    path: Path
    split: str | None = None
    label: str | tuple[Box, ...] | None = None
    problem: str = ""
    changes: tuple[str, ...] = ()


class MediaTable(OfFiles):
    """Columns `file` (path below the folder), `image` or `sound`, then `label` or `objects` where anything is said, and `split` where the folder tells
    it. `named`: further files that belong to the set, such as annotations."""

    encoding = "utf-8"
    delimiter: str | None = None

    def __init__(
        self, folder: Path, entries: Sequence[Entry], form: str, named: Sequence[Path] = (), kind: Kind = PICTURES
    ) -> None:
        self.folder, self.entries, self._named, self.kind = folder, entries, tuple(named), kind
        self.format = form
        count = f"{len(entries):,}"
        told = in_language(f"{count} {kind.reads}", f"{count} 张图片" if kind is PICTURES else f"{count} 段声音")
        self.why = {"format": told}
        said = [entry.label for entry in entries if entry.label is not None]
        self._label = "objects" if any(isinstance(label, tuple) for label in said) else "label"
        self._splits = any(entry.split for entry in entries)
        self.columns = ("file", kind.role, *((self._label,) if said else ()), *(("split",) if self._splits else ()))

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self._named, *(entry.path for entry in self.entries if entry.path.is_file()))

    def file_rows(self) -> Iterator[FileRow]:
        for entry in self.entries:
            name = below(entry.path, self.folder)
            if entry.problem:
                yield FileRow(name, None, entry.problem)
                continue
            values: dict[str, Any] = {"file": name, self.kind.role: self.kind.medium(str(entry.path)), self._label: entry.label}
            if self._splits:
                values["split"] = entry.split
            yield FileRow(name, {key: value for key, value in values.items() if key in self.columns}, "", entry.changes)


def below(path: Path, folder: Path) -> str:
    """The path as it is called inside the folder."""
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:  # the set names a picture that lies elsewhere
        return path.as_posix()


def files_in(folder: Path, kind: Kind = PICTURES) -> list[Path]:
    """Files whose names end as those of this kind do, sorted; hidden ones are none."""
    if not folder.is_dir():
        return []
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() in kind.endings and not p.name.startswith(".") and not p.is_dir()
    )


def boxes(corners: Iterable[Corners]) -> tuple[tuple[Box, ...], tuple[str, ...]]:
    """The boxes that have an area, and what a person should know about the others. Corners in the wrong order are set right."""
    kept, lost = list[Box](), False
    for label, left, top, right, bottom in corners:
        numbers = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        if label and all(map(math.isfinite, numbers)) and numbers[0] < numbers[2] and numbers[1] < numbers[3]:
            kept.append(Box(label, *numbers))
        else:
            lost = True
    return tuple(kept), (NO_AREA,) if lost else ()
