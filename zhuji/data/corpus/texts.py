"""Texts of any size as one stream: lines, paragraphs or files of text, rows of tables, folders of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zhuji.core.errors import EmptyData, MissingColumn, NoRole, UnknownFormat
from zhuji.core.files import sha256
from zhuji.core.log import in_language
from zhuji.core.unreadable import PicturesAreRows
from zhuji.data import cells
from zhuji.data.chat import COLUMN, ChatFormat, text_to_learn
from zhuji.data.corpus.settings import TextsSettings
from zhuji.data.encodings import LINE_LIMIT, fault
from zhuji.data.infer import Roles, infer_roles
from zhuji.data.names import split_name
from zhuji.data.pictures import ENDINGS
from zhuji.data.settings import DataSettings
from zhuji.data.sources import Part, RawRow, Source, kind_of
from zhuji.data.tables import LineTable, Row, TextTable, format_of, open_table

LOOK_LINES = 2_000
HASHED = 1 << 30
"""Bytes of the largest file that is hashed whole; of a larger one, its size and PIECES pieces of PIECE bytes."""
PIECES, PIECE = 64, 1 << 20


@dataclass(frozen=True, slots=True)
class RawText:
    """`text`, or the cause why it is None; where it stands."""

    text: str | None
    cause: str
    file: str
    row: int


@dataclass
class ParagraphTable(TextTable):
    """One text a paragraph: lines between empty lines. `whole`: one text a file."""

    columns: tuple[str, ...] = ("text",)
    whole: bool = False

    def rows(self) -> Iterator[Row]:
        waiting: list[str] = []
        size = 0
        for line in self.lines():
            if line.strip() or self.whole:
                waiting.append(line)
                size += len(line)
            if waiting and (size > LINE_LIMIT or not (line.strip() or self.whole)):
                yield _joined(waiting)
                waiting, size = [], 0
        if waiting:
            yield _joined(waiting)


def _joined(lines: list[str]) -> Row:
    text = "".join(lines)
    cause = fault(text)
    return (None, cause) if cause else ({"text": text}, "")


class Texts:
    """The texts that the settings name; may be iterated again and again. `parts`: the files, by their path below the folder; `chat`: how the
    conversations are written that tables hold in a column `messages`.

    Raises:
        MissingFile, UnreadableFile, NotAFile, UnknownFormat, DamagedFile, …: see `zhuji.data.tables.open_table`.
        MissingColumn, NoRole: a table has no column with texts, or no split column where one is asked for.
    """

    def __init__(self, settings: TextsSettings, chat: ChatFormat | None = None) -> None:
        self.settings, self.chat = settings, chat
        self._data = DataSettings(
            path=settings.path, text=settings.columns, encoding=settings.encoding, delimiter=settings.delimiter
        )
        root = Path(settings.path)
        self.paths = {root.name: root} if kind_of(root) == "file" else _below(root)

    def __iter__(self) -> Iterator[RawText]:
        for name, path in self.paths.items():
            try:
                part = self._part(name, path)
            except EmptyData:
                yield RawText(None, "empty text", name, 1)
                continue
            roles = self._roles_of(part)
            for raw in Source((part,)).rows(part):
                yield self._text(raw, roles)

    def fingerprint(self) -> dict[str, dict[str, str | int]]:
        """`{file: {"sha256": …, "bytes": …}}`, by the path below the folder."""
        return {name: {"sha256": _digest(path), "bytes": path.stat().st_size} for name, path in self.paths.items()}

    def _part(self, name: str, path: Path) -> Part:
        kind_of(path)
        table = open_table(path, self._data)
        if isinstance(table, TextTable) and (isinstance(table, LineTable) or self._is_prose(path)):
            unit = self.settings.unit if self.settings.unit != "auto" else unit_of(table)
            if unit == "line":
                table = LineTable(path, table.encoding, table.why)
            else:
                table = ParagraphTable(path, table.encoding, table.why, whole=unit == "file")
        return Part(table, name, path, None)

    def _is_prose(self, path: Path) -> bool:
        return format_of(path) == "text" and self.settings.unit != "auto"

    def _roles_of(self, part: Part) -> Roles:
        if isinstance(part.table, LineTable | ParagraphTable):
            roles = Roles(("text",))
        else:
            for column in self.settings.columns or ():
                if column not in part.table.columns:
                    shown = ", ".join(part.table.columns[:20])
                    raise MissingColumn(file=part.path, role="text", name=column, columns=shown)
            talks = self.chat is not None and self.settings.columns is None and COLUMN in part.table.columns
            data = self._data.model_copy(update={"text": (COLUMN,)}) if talks else self._data
            roles = infer_roles(Source((part,)), data)
        if self.settings.split and roles.split is None:
            raise NoRole(file=part.path, role="split", columns=", ".join(part.table.columns[:20]))
        return roles

    def _text(self, raw: RawRow, roles: Roles) -> RawText:
        file, row = raw.file, raw.number
        if raw.values is None:
            return RawText(None, raw.problem, file, row)
        wanted = self.settings.split
        if wanted and roles.split and split_name(cells.cell_text(raw.values.get(roles.split))) != split_name(wanted):
            return RawText(None, "another split", file, row)
        try:
            parts = [cells.cell_text(raw.values.get(name)) for name in roles.text]
        except UnicodeDecodeError:
            return RawText(None, "undecodable bytes", file, row)
        if self.chat is not None and roles.text == (COLUMN,):
            return RawText(*text_to_learn(self.chat, parts[0]), file, row)
        return RawText("\n".join(filter(None, parts)), "", file, row)


def unit_of(table: TextTable) -> str:
    """Paragraphs, where at least a twentieth of the first lines is empty and what stands between is more than one line on average."""
    filled = [bool(line.strip()) for line in islice(table.lines(), LOOK_LINES)]
    runs = sum(now and not before for before, now in zip([False, *filled], filled))
    empty = len(filled) - sum(filled)
    return "paragraph" if empty >= 0.05 * len(filled) and sum(filled) > 1.5 * runs else "line"


def _below(folder: Path) -> dict[str, Path]:
    """The files of a known format at any depth, sorted by their path; links are not followed into other folders."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file() and _known(path)}
    if not found:
        if any(path.suffix.lower() in ENDINGS for path in folder.rglob("*")):
            raise PicturesAreRows(file=folder)
        why = in_language("this folder holds no file of texts", "该文件夹中没有文本文件")
        raise UnknownFormat(file=folder, why=why)
    return found


def _known(path: Path) -> bool:
    return format_of(path) is not None and not path.name.startswith(".")


def _digest(path: Path) -> str:
    size = path.stat().st_size
    if size <= HASHED:
        return sha256(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for i in range(PIECES):
            file.seek(i * (size - PIECE) // (PIECES - 1))
            digest.update(file.read(PIECE))
    return digest.hexdigest()
