"""A folder of text files by class: `folder/<class>/*.txt`, or `folder/<train|valid|test>/<class>/*.txt`; one file is one row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from zhuji.core.log import in_language
from zhuji.data import encodings
from zhuji.data.encodings import LINE_LIMIT, SAMPLE, fault
from zhuji.data.names import split_name
from zhuji.data.tables import FileRow, OfFiles

LOOK_FILES = 50
"""Files that are looked at to find the encoding of them all."""

Class = tuple[str | None, str, tuple[Path, ...]]
"""(split, label, files)."""


def classes_in(folder: Path) -> list[Class]:
    """The classes of such a folder, sorted; none if it is not one."""
    below = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    splits = [(split, path) for path in below if (split := split_name(path.name))]
    deep: list[Class] = [(split, *found) for split, path in splits for found in _classes(sorted(path.iterdir()))]
    return deep or [(None, *found) for found in _classes(below)]


def _classes(folders: list[Path]) -> Iterator[tuple[str, tuple[Path, ...]]]:
    for folder in folders:
        files = tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() == ".txt")) if folder.is_dir() else ()
        if files:
            yield folder.name, files


class TextFiles(OfFiles):
    """Columns `file` (path below the folder), `text`, `label`, and `split` where folders tell it."""

    format = "text files"
    delimiter: str | None = None

    def __init__(self, folder: Path, classes: list[Class], encoding: str | None) -> None:
        self.folder, self.classes = folder, classes
        split: tuple[str, ...] = ("split",) if any(split for split, _, _ in classes) else ()
        self.columns = ("file", "text", "label", *split)
        if encoding:
            self.encoding, why = encodings.checked(encoding), in_language("given", "指定")
        else:
            self.encoding, why = self._detect()
        self.why = {"encoding": why}

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for _, _, files in self.classes for file in files if file.is_file())

    def _detect(self) -> tuple[str, str]:
        looks = [encodings.look(file)[:2] for file in islice(self.files, LOOK_FILES)]
        if len({encodings.detect(*look)[0] for look in looks}) == 1:
            return encodings.detect(*looks[0])
        return encodings.detect(b"", b"\n".join(telling[: SAMPLE // LOOK_FILES] for _, telling in looks))

    def file_rows(self) -> Iterator[FileRow]:
        for split, label, files in self.classes:
            for file in files:
                name = file.relative_to(self.folder).as_posix()
                text, problem = self._text(file)
                values: dict[str, Any] = {"file": name, "text": text, "label": label}
                yield FileRow(name, None if problem else values | ({"split": split} if split else {}), problem)

    def _text(self, file: Path) -> tuple[str, str]:
        if not file.is_file():
            return "", "not a regular file"
        text = ""
        for line in encodings.lines(file, self.encoding):
            text += line
            if len(text) > LINE_LIMIT:
                return "", "row too long"
        return text, fault(text)
