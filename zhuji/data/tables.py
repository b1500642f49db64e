"""One file as a table: columns, and rows that stream from disk. A row is its values, or the cause why it has none."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

from zhuji.core.errors import DuplicateColumn, EmptyData, UnknownFormat
from zhuji.core.log import in_language
from zhuji.data import encodings
from zhuji.data.conll import ConllTable, looks_like_conll
from zhuji.data.dialect import Dialect, column_names, find_dialect, records
from zhuji.data.encodings import fault
from zhuji.data.settings import DataSettings

Values = dict[str, Any]
Row = tuple[Values | None, str]
"""(values, "") or (None, cause)."""

LOOK_ROWS = 1_000
"""Rows of a JSONL file whose keys make up its columns."""


class Table(Protocol):
    """`rows` may be called again and again."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def format(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def delimiter(self) -> str | None: ...
    @property
    def why(self) -> dict[str, str]: ...

    def rows(self) -> Iterator[Row]: ...


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that is a row: its `name`, its values or the problem with it, and what was done to it."""

    name: str
    values: Values | None
    problem: str = ""
    changes: tuple[str, ...] = ()


class OfFiles(ABC):
    """A table each row of which is a file of its own."""

    folder: Path
    columns: tuple[str, ...]
    format: str
    encoding: str
    delimiter: str | None
    why: dict[str, str]

    @property
    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """All files that it is made of."""

    @abstractmethod
    def file_rows(self) -> Iterator[FileRow]: ...

    def rows(self) -> Iterator[Row]:
        for row in self.file_rows():
            yield row.values, row.problem


def distinct(columns: Sequence[str], path: Path) -> tuple[str, ...]:
    """The column names, all different.

    Raises:
        DuplicateColumn: they are not.
    """
    name, count = Counter(columns).most_common(1)[0] if columns else ("", 0)
    if count > 1:
        raise DuplicateColumn(file=path, name=name, count=count)
    return tuple(columns)


@dataclass
class TextTable:
    """Text of unknown encoding: what the three formats below share."""

    path: Path
    encoding: str
    why: dict[str, str]
    columns: tuple[str, ...] = ()
    format: str = "text"
    delimiter: str | None = None

    def lines(self) -> Iterator[str]:
        return encodings.lines(self.path, self.encoding)


@dataclass
class LineTable(TextTable):
    """One text a line, in a column named `text`; blank lines are no rows."""

    columns: tuple[str, ...] = ("text",)

    def rows(self) -> Iterator[Row]:
        for line in self.lines():
            if cause := fault(line):
                yield None, cause
            elif text := line.strip():
                yield {"text": text}, ""


@dataclass
class CsvTable(TextTable):
    """Rows of text cut into cells by a delimiter, with quotes."""

    dialect: Dialect = field(default_factory=lambda: Dialect(",", True, True))
    format: str = "csv"

    def __post_init__(self) -> None:
        self.delimiter = self.dialect.delimiter
        self.why |= self.dialect.why
        first = next((fields for fields, _ in self._records() if fields), None)
        self.columns = distinct(column_names(first or (), self.dialect.header), self.path)

    def _records(self) -> Iterator[tuple[list[str] | None, str]]:
        lines = islice(self.lines(), int(self.dialect.preamble), None)
        return records(lines, self.dialect.delimiter, self.dialect.quoted)

    def rows(self) -> Iterator[Row]:
        """Rows; what stands before the header and cannot be read counts as a row, too."""
        names, header = self.columns, None
        for fields, cause in self._records():
            if fields is None:
                yield None, cause
            elif self.dialect.header and header is None:
                header = fields
            elif fields == header:
                yield None, "header again"
            elif len(fields) != len(names):
                yield None, "ragged row"
            else:
                yield dict(zip(names, fields)), ""


@dataclass
class JsonTable(TextTable):
    """One JSON object a line. Lists of plain values stay lists (many labels); what is nested becomes JSON text."""

    format: str = "jsonl"

    def __post_init__(self) -> None:
        keys = (key for values, _ in islice(self.rows(), LOOK_ROWS) if values for key in values)
        self.columns = tuple(dict.fromkeys(keys))
        if not self.columns:
            why = in_language(
                f"none of the first {LOOK_ROWS} lines is a JSON object with keys", f"前 {LOOK_ROWS} 行都不是带键的 JSON 对象"
            )
            raise UnknownFormat(file=self.path, why=why)

    def rows(self) -> Iterator[Row]:
        for line in self.lines():
            if cause := fault(line):
                yield None, cause
            elif line.strip():
                yield _json_row(line)


def _json_row(line: str) -> Row:
    try:
        values = json.loads(line)
        if not isinstance(values, dict):
            return None, "not a JSON object"
        if "\\u" in line and (cause := fault(json.dumps(values, ensure_ascii=False))):
            return None, cause
        return {key: flat(value) for key, value in cast(Values, values).items()}, ""
    except (ValueError, RecursionError):
        return None, "bad JSON"


def flat(value: Any) -> Any:
    """A list of plain values as it is; what is nested as JSON text."""
    inner = cast(list[Any], value) if isinstance(value, list) else ()
    if isinstance(value, dict) or any(isinstance(part, (dict, list)) for part in inner):
        return json.dumps(value, ensure_ascii=False, default=str)
    return cast(Any, value)


_FORMATS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
            ".txt": "text", ".text": "text", ".conll": "conll", ".bio": "conll", ".iob": "conll", ".parquet": "parquet", ".pq": "parquet"}  # fmt: skip
_PARQUET = b"PAR1"
_OTHERS = {
    b"PK\x03\x04": ("a ZIP archive, such as an Excel workbook", "这是 ZIP 压缩包，例如 Excel 工作簿"),
    b"%PDF": ("a PDF document", "这是 PDF 文档"), b"\xd0\xcf\x11\xe0": ("an old Office document", "这是旧版 Office 文档"),
    b"BZh": ("packed by bzip2", "由 bzip2 压缩"), b"\xfd7zXZ": ("packed by xz", "由 xz 压缩"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "由 zstd 压缩"), b"\x1f\x8b": ("packed twice", "压缩了两次"),
}  # fmt: skip
"""First bytes of files that are no table."""


def format_of(path: Path) -> str | None:
    """The format that a name tells, with or without `.gz`."""
    suffixes = [s.lower() for s in path.suffixes]
    return _FORMATS.get(suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1])


def open_table(path: Path, settings: DataSettings) -> Table:
    """The table in one regular file; its format is what its name says, unless its first bytes say otherwise.

    Raises:
        EmptyData: nothing but blanks.
        UnknownFormat: no table of a known format.
        DamagedFile, DuplicateColumn, MissingExtra: see the tables.
    """
    head, telling, whole = encodings.look(path)
    if whole and not head.strip(b"\0 \t\r\n\xff\xfe\xef\xbb\xbf"):
        raise EmptyData(file=path)
    by_name = format_of(path)
    if by_name == "parquet" or head.startswith(_PARQUET):
        from zhuji.data.parquet import ParquetTable

        return ParquetTable(path)
    if other := next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None):
        raise UnknownFormat(file=path, why=in_language(*other))
    if settings.encoding:
        encoding, why = encodings.checked(settings.encoding), {"encoding": in_language("given", "指定")}
    else:
        encoding, reason = encodings.detect(head, telling)
        why = {"encoding": reason}
    sample = encodings.decode(head, encoding)
    if _is_binary(sample):
        why = in_language(
            "its bytes are not text; if they are, name the encoding with --set data.encoding=…",
            "其字节不是文本；若确是文本，请用 --set data.encoding=… 指定编码",
        )
        raise UnknownFormat(file=path, why=why)
    form = _form(sample, whole, "csv" if settings.delimiter and by_name == "text" else by_name)
    if form == "conll":
        return ConllTable(path, encoding, why)
    if form == "text":
        return LineTable(path, encoding, why)
    if form == "csv":
        return CsvTable(path, encoding, why, dialect=find_dialect(sample, whole, settings.delimiter))
    if sample.lstrip().startswith("["):
        why = in_language("a JSON array; write one object a line instead", "这是 JSON 数组；请改为每行一个对象")
        raise UnknownFormat(file=path, why=why)
    return JsonTable(path, encoding, why)


def _is_binary(sample: str) -> bool:
    odd = sum((c < " " and c not in "\t\n\r\f\x0b\x1b") or c == encodings.UNDECODABLE for c in sample[:65536])
    return odd > 0.1 * len(sample[:65536])


def _form(sample: str, whole: bool, form: str | None) -> str:
    """The format where the name does not tell it; `.txt` may be one text a line, tagged words or a table with tabs."""
    start = sample.lstrip()
    if form in ("csv", "jsonl", "conll"):
        return form
    if looks_like_conll(sample):
        return "conll"
    if form is None and start.startswith("{") and _json_row(start.splitlines()[0])[0] is not None:
        return "jsonl"
    dialect = find_dialect(sample, whole)
    return "csv" if dialect.agreement >= 0.95 and (form is None or dialect.delimiter == "\t") else "text"
