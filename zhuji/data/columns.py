"""What a bounded look at the first rows tells about each column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from zhuji.core.errors import EmptyData, NoReadableRow
from zhuji.core.log import in_language
from zhuji.core.records import Medium
from zhuji.data import names
from zhuji.data.cells import cell_text, number
from zhuji.data.sources import Source
from zhuji.data.words import counted

LOOK_ROWS = 5_000
LOOK_CHARACTERS = 1 << 26
_CELL = 50
"""What an empty cell costs, in characters: a table may be wide."""


@dataclass
class Column:
    """What a look at the first rows tells about one column."""

    name: str
    values: list[Any]

    def __post_init__(self) -> None:
        self.filled = [value for value in self.values if value is not None and value != ""]
        self.texts = [told_as(value).strip() for value in self.filled]
        self.distinct = Counter(self.texts)
        self.length = sum(map(len, self.texts)) / max(len(self.texts), 1)

    def share(self, test: Callable[[Any], object]) -> float:
        """Share of the filled cells that pass."""
        return sum(bool(test(value)) for value in self.filled) / max(len(self.filled), 1)

    @property
    def numeric(self) -> bool:
        return bool(self.filled) and self.share(lambda value: number(value) is not None) > 0.95

    @property
    def unique(self) -> bool:
        return len(self.distinct) == len(self.values)


def told_as(value: Any) -> str:
    """A cell as a text; of a picture or a sound its file. Bytes that are no text, such as a picture's, and boxes are not told."""
    if isinstance(value, Medium):
        return value.path
    if isinstance(value, tuple):
        return ""
    try:
        return cell_text(value)
    except UnicodeDecodeError:
        return ""


def look(source: Source) -> list[Column]:
    """The columns as the first rows show them: at most `LOOK_ROWS` rows and `LOOK_CHARACTERS` characters over all parts."""
    rows: list[dict[str, Any]] = []
    lost = Counter[str]()
    room, share = LOOK_CHARACTERS, max(LOOK_ROWS // len(source.parts), 1)
    for raw in chain.from_iterable(islice(source.rows(part), share) for part in source.parts):
        if raw.values is None:
            lost[raw.problem] += 1
        elif room > 0:
            rows.append(raw.values)
            room -= sum(_CELL + _size(value) for value in raw.values.values())
    if not rows and lost:
        causes = counted(dict(lost.most_common()))
        raise NoReadableRow(file=source.parts[0].path, rows=lost.total(), causes=causes)
    if not rows:
        raise EmptyData(file=source.parts[0].path)
    return [Column(name, [row.get(name) for row in rows]) for name in source.columns]


def _size(value: Any) -> int:
    """Characters or bytes."""
    if isinstance(value, Medium):
        return len(value.data or b"")
    return len(value) if isinstance(value, str | bytes) else 0


# ------------------------------------------------------------------------------------------------- by name and content

GIVEN = ("given", "指定")
"""Why a column has its role that somebody named for it."""
Choice = tuple[str, str] | None
"""(column, reason)."""


class Search:
    """What was found so far: columns by role, and why; what is `taken` has its role, or none."""

    def __init__(self, columns: Sequence[Column], given: Mapping[str, tuple[str, ...]]) -> None:
        self.columns = columns
        self.given = given
        self.found = dict(given)
        self.reasons = dict.fromkeys(given, in_language(*GIVEN))
        self.taken = {name for some in given.values() for name in some}

    @property
    def free(self) -> list[Column]:
        return [column for column in self.columns if column.name not in self.taken]

    def give(self, role: str, choice: tuple[str, str]) -> None:
        self.found[role], self.reasons[role] = (choice[0],), choice[1]
        self.taken.add(choice[0])


def best_named(columns: Iterable[Column], hints: tuple[str, ...]) -> Column | None:
    ranked = [(rank, i, column) for i, column in enumerate(columns) if (rank := names.rank(column.name, hints)) is not None]
    return min(ranked, key=lambda r: r[:2])[2] if ranked else None


def whole_name(columns: list[Column], hints: tuple[str, ...]) -> Column | None:
    return best_named([c for c in columns if names.is_one(c.name, hints)], hints)


def varied(column: Column) -> bool:
    return len(column.distinct) > 0.1 * len(column.filled) or len(column.filled) < 20


def as_named(column: Column) -> str:
    return in_language(f"named '{column.name}', ", f"列名为「{column.name}」，")
