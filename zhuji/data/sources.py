"""Where rows come from: a file, or a folder of files by split or by class, seen as one stream of raw rows.

Every row of every file is yielded, readable or not; one that cannot be read says why. One row is in memory at a time.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from zhuji.core.errors import DamagedFile, MissingFile, NotAFile, UnknownFormat, UnreadableFile
from zhuji.core.files import os_reason, sha256
from zhuji.core.log import in_language
from zhuji.core.records import SPLITS
from zhuji.data.names import split_name
from zhuji.data.picture_sets.entries import MediaTable, below
from zhuji.data.picture_sets.finding import annotated, labelled, lists, single
from zhuji.data.settings import DataSettings
from zhuji.data.tables import OfFiles, Table, format_of, open_table
from zhuji.data.text_files import TextFiles, classes_in


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as the file holds it. `number`: 1-based data row of `file` (where each row is a file, the number of that file). `values` is None when the row cannot be read;
    `problem` is then the cause for the ledger. `changes`: what was done to it when it was read. `split` is what the name of the file or folder says."""

    number: int
    values: dict[str, Any] | None
    problem: str = ""
    file: str = ""
    split: str | None = None
    changes: tuple[str, ...] = ()


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
        """Those that a person would name: a set of pictures or sounds is one."""
        return tuple(
            path for part in self.parts for path in ((part.path,) if isinstance(part.table, MediaTable) else _files_of(part))
        )

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
            if isinstance(part.table, OfFiles):
                for number, row in enumerate(islice(part.table.file_rows(), self.limit), 1):
                    yield RawRow(number, row.values, row.problem, row.name, part.split, row.changes)
                return
            for number, (values, problem) in enumerate(islice(part.table.rows(), self.limit), 1):
                yield RawRow(number, values, problem, part.name, part.split)

    def fingerprint(self) -> dict[str, dict[str, str | int]]:
        """`{file: {"sha256": …, "bytes": …}}`, by the path below the source. A set of pictures or sounds counts as one file: the digest is of all its
        files' names and digests."""
        found: dict[str, dict[str, str | int]] = {}
        several = sum(isinstance(part.table, TextFiles) for part in self.parts) > 1
        for part in self.parts:
            one = hashlib.sha256()
            for path in _files_of(part):
                name = below(path, part.path) if isinstance(part.table, OfFiles) else part.name
                name = f"{part.name}/{name}" if several and isinstance(part.table, TextFiles) else name
                with _translated(path):
                    found[name] = {"sha256": sha256(path), "bytes": path.stat().st_size}
                if isinstance(part.table, MediaTable):
                    one.update(f"{name}\0{found[name]['sha256']}\n".encode())
                    total = found.pop(name)["bytes"] + (found.get(part.name, {}).get("bytes", 0))  # type: ignore[operator]
                    found[part.name] = {"sha256": one.hexdigest(), "bytes": total}
        return found


def _files_of(part: Part) -> tuple[Path, ...]:
    return part.table.files if isinstance(part.table, OfFiles) else (part.path,)


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
    return Source(_told_apart(parts), settings.limit)


def _told_apart(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts of one name by their paths below the folder that they share: one fingerprint must not stand for both."""
    again = {name for name, count in Counter(part.name for part in parts).items() if count > 1}
    if not again:
        return tuple(parts)
    shared = Path(os.path.commonpath([part.path.absolute().parent for part in parts if part.name in again]))
    return tuple(replace(part, name=below(part.path.absolute(), shared)) if part.name in again else part for part in parts)


def _parts(path: Path, split: str | None, settings: DataSettings, others: tuple[Path, ...] = ()) -> list[Part]:
    """`others`: files of other splits, which may lie in the same folder."""
    with _translated(path):
        if kind_of(path) == "file":
            return [_part(path, split, settings)]
        # Their labels lie in folders of .txt files, too.
        if (pictures := annotated(path)) is not None:
            return [Part(pictures, path.name, path, split)]
        classes = classes_in(path)
        if classes:
            return [Part(TextFiles(path, classes, settings.encoding), path.name, path, split)]
        if inside := _beside(path, others):
            return [_part(file, split, settings) for file in inside]
        if listed := lists(path):
            return [_part(file, split or name, settings) for name, file in listed]
        if by_split := _files_by_split(path):
            return [_part(file, split or name, settings) for name, file in by_split]
        if (pictures := labelled(path)) is None:
            raise UnknownFormat(file=path, why=in_language(*_NOTHING))
        return [Part(pictures, path.name, path, split)]


def _part(path: Path, split: str | None, settings: DataSettings) -> Part:
    with _translated(path):
        kind_of(path)
        return Part(annotated(path) or single(path) or open_table(path, settings), path.name, path, split)


def _beside(folder: Path, others: tuple[Path, ...]) -> list[Path]:
    """The files of a folder that others were picked out of, but for these; none if they were not."""
    picked = {path.resolve() for path in others}
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and format_of(path) is not None]
    rest = [path for path in files if path.resolve() not in picked]
    return rest if len(rest) < len(files) else []


_NOTHING = (
    "this folder holds neither files named train, valid or test nor folders of .txt files, pictures or sounds, one for each class",
    "该文件夹中既没有名为 train、valid 或 test 的文件，也没有每类一个的 .txt、图片或声音文件夹",
)


def _files_by_split(folder: Path) -> list[tuple[str, Path]]:
    """Files named train, valid (val, dev) and test, in that order; none if there are none."""
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
    return [(split, found[split]) for split in SPLITS if split in found]
