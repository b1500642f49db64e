"""Where rows come from: a file, or a folder of files by split or by class, seen as one stream of raw rows.

Every row of every file is yielded, readable or not; one that cannot be read says why. One row is in memory at a time.
"""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from zhuji.core.errors import DamagedFile, MissingFile, NotAFile, UnknownFormat, UnreadableFile
from zhuji.core.files import os_reason, sha256
from zhuji.core.log import in_language
from zhuji.core.records import SPLITS
from zhuji.data.names import split_name
from zhuji.data.settings import DataSettings
from zhuji.data.tables import Table, format_of, open_table
from zhuji.data.text_files import TextFiles, classes_in


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the file holds it. `number`: 1-based data row of `file` (of a folder of texts: the number of the text). `values` is None when the row cannot be read;
    `problem` is then the cause for the ledger. `split` is what the name of the file or folder says."""

    number: int
    values: dict[str, Any] | None
    problem: str = ""
    file: str = ""
    split: str | None = None


@dataclass(frozen=True)
class Part:
    """One table of a source. `name` is what rows call the file: its path below the source."""

    table: Table
    name: str
    path: Path
    split: str | None


@dataclass(frozen=True)
class Source:
    """Tables read one after the other. Iterating yields `RawRow`s and may be done again."""

    parts: tuple[Part, ...]
    limit: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of all tables, in order of appearance."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.table.columns))

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for part in self.parts for path in _files_of(part))

    @property
    def encoding(self) -> str:
        return self.parts[0].table.encoding

    @property
    def delimiter(self) -> str | None:
        return self.parts[0].table.delimiter

    @property
    def format(self) -> str:
        return self.parts[0].table.format

    @property
    def why(self) -> dict[str, str]:
        """How encoding, delimiter, quotes and header of the first file were found."""
        return self.parts[0].table.why

    def __iter__(self) -> Iterator[RawRow]:
        for part in self.parts:
            yield from self.rows(part)

    def rows(self, part: Part) -> Iterator[RawRow]:
        with _translated(part.path):
            if isinstance(part.table, TextFiles):
                for number, (file, values, problem) in enumerate(islice(part.table.texts(), self.limit), 1):
                    yield RawRow(number, values, problem, file, part.split)
                return
            for number, (values, problem) in enumerate(islice(part.table.rows(), self.limit), 1):
                yield RawRow(number, values, problem, part.name, part.split)

    def fingerprint(self) -> dict[str, dict[str, str | int]]:
        """`{file: {"sha256": …, "bytes": …}}`, by the path below the source."""
        found: dict[str, dict[str, str | int]] = {}
        for part in self.parts:
            for path in _files_of(part):
                name = path.relative_to(part.path).as_posix() if isinstance(part.table, TextFiles) else part.name
                with _translated(path):
                    found[name] = {"sha256": sha256(path), "bytes": path.stat().st_size}
        return found


def _files_of(part: Part) -> tuple[Path, ...]:
    return part.table.files if isinstance(part.table, TextFiles) else (part.path,)


@contextmanager
def _translated(path: Path) -> Generator[None]:
    """What the operating system and the unpacker say about a file, as errors of the catalogue."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedFile(file=path, format="gzip", why=in_language(str(error), "压缩数据已损坏或不完整")) from None
    except OSError as error:
        raise UnreadableFile(file=path, why=os_reason(error)) from None


_KINDS = {
    stat.S_IFSOCK: ("socket", "套接字"), stat.S_IFIFO: ("named pipe", "命名管道"),
    stat.S_IFCHR: ("character device", "字符设备"), stat.S_IFBLK: ("block device", "块设备"),
}  # fmt: skip


def kind_of(path: Path) -> str:
    """`"file"` or `"folder"`; nothing is opened, so that a pipe without a writer does not block.

    Raises:
        MissingFile: nothing is there, or a link leads nowhere.
        UnreadableFile: a folder above may not be entered, or links run in a circle.
        NotAFile: a socket, a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise MissingFile(file=path) from None
    except OSError as error:
        raise UnreadableFile(file=path, why=os_reason(error)) from None
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise NotAFile(file=path, kind=in_language(*_KINDS.get(stat.S_IFMT(mode), ("special file", "特殊文件"))))
    return "file"


def open_source(settings: DataSettings) -> Source:
    """The source that `settings.path`, `valid_path` and `test_path` name; only the beginning of each file is looked at.

    Raises:
        MissingFile, UnreadableFile, NotAFile: see `kind_of`.
        UnknownFormat, DamagedFile, EmptyData, DuplicateColumn, MissingExtra: a file is no table; see `open_table`.
    """
    more = {"valid": settings.valid_path, "test": settings.test_path}
    main = "train" if any(more.values()) else None
    parts = _parts(Path(settings.path), main, settings, tuple(Path(path) for path in more.values() if path))
    for split, path in more.items():
        if path:
            parts += _parts(Path(path), split, settings)
    return Source(tuple(parts), settings.limit)


def _parts(path: Path, split: str | None, settings: DataSettings, others: tuple[Path, ...] = ()) -> list[Part]:
    """`others`: files of other splits, which may lie in the same folder."""
    with _translated(path):
        if kind_of(path) == "file":
            return [_part(path, split, settings)]
        classes = classes_in(path)
        if classes:
            return [Part(TextFiles(path, classes, settings.encoding), path.name, path, split)]
        if inside := _beside(path, others):
            return [_part(file, split, settings) for file in inside]
        return [_part(file, split or name, settings) for name, file in _files_by_split(path)]


def _part(path: Path, split: str | None, settings: DataSettings) -> Part:
    with _translated(path):
        kind_of(path)
        return Part(open_table(path, settings), path.name, path, split)


def _beside(folder: Path, others: tuple[Path, ...]) -> list[Path]:
    """The files of a folder that others were picked out of, but for these; none if they were not."""
    picked = {path.resolve() for path in others}
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and format_of(path) is not None]
    rest = [path for path in files if path.resolve() not in picked]
    return rest if len(rest) < len(files) else []


def _files_by_split(folder: Path) -> list[tuple[str, Path]]:
    """Files named train, valid (val, dev) and test, in that order."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = split_name(path.name.partition(".")[0])
        if split is None or format_of(path) is None:
            continue
        if split in found:
            both = found[split].name, path.name
            why = in_language(f"{both[0]} and {both[1]} are both {split}", f"{both[0]} 与 {both[1]} 都是 {split}")
            raise UnknownFormat(file=folder, why=why)
        found[split] = path
    if not found:
        why = in_language(
            "this folder holds neither files named train, valid or test nor folders of .txt files, one for each class",
            "该文件夹中既没有名为 train、valid 或 test 的文件，也没有每类一个的 .txt 文件夹",
        )
        raise UnknownFormat(file=folder, why=why)
    return [(split, found[split]) for split in SPLITS if split in found]
