"""Delimited text: records that survive broken quotes, and the dialect of a file found by how well its rows agree.

Quoting follows RFC 4180, strictly: a quote that opens a field closes it right before a delimiter or the end of the line.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.data import names
from zhuji.data.encodings import LINE_LIMIT, fault

RECORD_LINES = 10_000
"""A quoted field that spans more lines was never meant to."""

DELIMITERS = {
    "\t": ("tab", "制表符"), ",": ("comma", "逗号"), ";": ("semicolon", "分号"), "|": ("bar", "竖线"), ":": ("colon", "冒号"),
}  # fmt: skip
"""In order of preference: who stands first seldom stands in a text by accident."""

_NONE = "\x1f"
"""Given to the csv module as the delimiter of a file that has only one column."""


@dataclass(frozen=True)
class Dialect:
    """`delimiter` None: one column. `quoted`: double quotes enclose fields. `header`: the first record holds the names.
    `preamble`: a line `sep=;`, as Excel writes it, stands above the header. `agreement`: share of the first rows that have as many fields as the first of all."""

    delimiter: str | None
    quoted: bool
    header: bool
    preamble: bool = False
    agreement: float = 1.0
    why: dict[str, str] = field(default_factory=dict[str, str])


class _Lines:
    """Hands lines to a csv reader and remembers those of the record being read, so that they can be taken back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._fresh, self._again = iter(lines), deque[str]()
        self.record: list[str] = []
        self._size = 0
        self.ran_out = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > LINE_LIMIT or len(self.record) >= RECORD_LINES:
            self.ran_out = True
            raise StopIteration
        try:
            line = self._again.popleft() if self._again else next(self._fresh)
        except StopIteration:
            self.ran_out = True
            raise
        self.record.append(line)
        self._size += len(line)
        return line

    def begin(self) -> None:
        self.record, self._size, self.ran_out = [], 0, False

    def take_back(self) -> None:
        """All lines of this record but the first will be handed out again."""
        self._again.extendleft(reversed(self.record[1:]))


def records(lines: Iterable[str], delimiter: str | None, quoted: bool = True) -> Iterator[tuple[list[str] | None, str]]:
    """(fields, "") or (None, cause) for each record; blank lines are none. After a quote that is never closed, or closed in the
    wrong place, reading goes on with the next line: one bad quote costs one line, not the rest of the file."""
    csv.field_size_limit(2 * LINE_LIMIT)
    feed = _Lines(lines)
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(feed, delimiter=delimiter or _NONE, quoting=quoting, strict=True)
    while True:
        feed.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            astray = feed.ran_out or len(feed.record) > 1
            feed.take_back()
            yield None, fault(feed.record[0]) or ("unterminated quote" if astray else "bad quotes")
            continue
        if cause := next((cause for line in feed.record if (cause := fault(line))), ""):
            yield None, cause
        elif fields and (len(fields) > 1 or fields[0].strip()):
            yield fields, ""


_PREAMBLE = re.compile(r"sep=(.)[\r\n]", re.IGNORECASE)


def find_dialect(sample: str, whole: bool, delimiter: str | None = None) -> Dialect:
    """The dialect of the file that begins with `sample` (which is all of it if `whole`).

    A delimiter is judged by the share of rows that have as many fields as the first; the csv module's own Sniffer goes by
    the frequency of characters, and is led astray by prose.
    """
    lines = sample.splitlines(keepends=True)
    if not whole and len(lines) > 1:
        lines.pop()
    preamble = _PREAMBLE.match(sample)
    if preamble:
        lines, delimiter = lines[1:], delimiter or preamble[1]
    if delimiter is not None:
        delimiter, why = _given(delimiter), in_language("given", "指定")
    else:
        delimiter, why = _best_delimiter(lines)
    quoted, why_quoted = _quoting(lines, delimiter)
    agreement = _agreement(lines, delimiter, quoted)[0] if delimiter else 0.0
    rows = [fields for fields, _ in records(lines, delimiter, quoted) if fields]
    header, why_header = _header(rows)
    return Dialect(
        delimiter,
        quoted,
        header,
        preamble is not None,
        agreement,
        {"delimiter": why, "quotes": why_quoted, "header": why_header},
    )


def _given(delimiter: str) -> str:
    char = "\t" if delimiter.lower() in ("\\t", "tab") else delimiter
    if len(char) != 1 or char in '"\r\n\0 ' or (not char.isprintable() and char != "\t"):
        rule = in_language("must be one character, such as ',' ';' or 'tab'", "必须是单个字符，如 ','、';' 或 'tab'")
        raise BadSetting(key="data.delimiter", rule=rule, value=delimiter)
    return char


def _agreement(lines: Sequence[str], delimiter: str | None, quoted: bool) -> tuple[float, int]:
    """(share of records with as many fields as the first, that number)."""
    counts = [0 if fields is None else len(fields) for fields, _ in records(lines, delimiter, quoted)]
    width = next(filter(None, counts), 0)
    return (counts.count(width) / len(counts) if counts else 0.0), width


def _best_delimiter(lines: Sequence[str]) -> tuple[str | None, str]:
    found: dict[str, tuple[float, int]] = {}
    for delimiter in DELIMITERS:
        if any(delimiter in line for line in lines[:3]):
            share, width = max(_agreement(lines, delimiter, quoted) for quoted in (True, False))
            if width > 1:
                found[delimiter] = share, width
    if not found:
        return None, in_language("one column: the first line holds no delimiter", "单列：首行没有分隔符")
    best = max(found, key=lambda d: round(found[d][0], 2))
    share, width = found[best]
    name = in_language(*DELIMITERS[best])
    return best, in_language(
        f"{name}: {share:.1%} of the first rows have {width} fields", f"{name}：开头各行的 {share:.1%} 有 {width} 个字段"
    )


def _quoting(lines: Sequence[str], delimiter: str | None) -> tuple[bool, str]:
    """Quotes are taken as text only if more rows agree then, and fields that merely begin with a quote outnumber those that are
    enclosed in quotes, on one line or broken over several."""
    enclosing = in_language("double quotes enclose fields", "字段由双引号包围")
    with_quotes, without = _agreement(lines, delimiter, True), _agreement(lines, delimiter, False)
    if without[0] <= with_quotes[0]:
        return True, enclosing
    ends = Counter[bool]()
    for fields, _ in records(lines, delimiter, False):
        ends.update(len(f) > 1 and f.endswith('"') for f in fields or () if f.startswith('"'))
    broken = sum("\n" in f for fields, _ in records(lines, delimiter, True) for f in fields or ())
    if ends[True] + broken >= ends[False] - broken:
        return True, enclosing
    return False, in_language("quotes are part of the text: rows agree better so", "引号是文本的一部分：这样各行更一致")


_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")


def _header(rows: Sequence[list[str]]) -> tuple[bool, str]:
    """(is the first row a header, why)."""
    if not rows:
        return True, in_language("the file holds no rows", "文件中没有数据行")
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    known = sum(map(names.known, first))
    if known == len(first) or known > 1:
        return True, in_language("the first row holds known names", "首行是常见的列名")
    for i, cell in enumerate(first):
        if cell and any(i < len(row) and row[i].strip() == cell for row in rest):
            shown = cell[:40]
            return False, in_language(
                f"'{shown}' in the first row stands in later rows of its column, too",
                f"首行的「{shown}」也出现在该列后面的行中",
            )
    if known:
        return True, in_language("the first row holds a known name", "首行有一个常见的列名")
    if not any(first):
        return False, in_language("the first row is empty cells", "首行是空单元格")
    if number := next((cell for cell in first if _NUMBER.fullmatch(cell)), None):
        return False, in_language(f"the first row holds a number ({number})", f"首行有数值（{number}）")
    if any(len(cell) > 64 or "\n" in cell for cell in first):
        return False, in_language("the first row holds a long text", "首行有长文本")
    return True, in_language("the first row looks like names", "首行像是列名")


def column_names(first: Sequence[str], header: bool) -> tuple[str, ...]:
    """Names from the header; `column_<n>` (1-based) where there is none."""
    return tuple(cell.strip() if header and cell.strip() else f"column_{i}" for i, cell in enumerate(first, 1))
