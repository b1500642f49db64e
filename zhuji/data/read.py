"""The streaming way from a source to records: every row read is yielded as a record or dropped with a cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from zhuji.core.errors import MissingColumn
from zhuji.core.records import Box, Label, Medium, Record
from zhuji.core.unreadable import MediumError
from zhuji.data import cells
from zhuji.data.ahead import ahead
from zhuji.data.clean import Cleaner, without_controls
from zhuji.data.infer import Roles, infer_roles
from zhuji.data.ledger import Ledger
from zhuji.data.media import KINDS, SOUNDS, Kind, seconds_of
from zhuji.data.names import split_name, test_name
from zhuji.data.pictures import quietly
from zhuji.data.settings import DataSettings
from zhuji.data.sources import Part, RawRow, Source, open_source
from zhuji.data.stored import Store
from zhuji.data.tags import normal


class _Dropped(Exception):
    """Carries the cause from where it is seen to where it is counted."""

    def __init__(self, cause: str, label: Label = None) -> None:
        super().__init__(cause)
        self.cause, self.label = cause, label


def read_records(
    settings: DataSettings,
    roles: Roles | None = None,
    ledger: Ledger | None = None,
    labelled: bool = True,
    source: Source | None = None,
) -> Iterator[Record]:
    """Records in file order. `roles` are inferred if None; without `labelled`, labels are read where they are sound, and no row is
    dropped for want of one or of a known split.

    `ledger.read` counts every row; what is not yielded is settled there as dropped, by cause. One row is held at a time, beside
    the ids given by an id column.

    Raises:
        see `open_source` and `infer_roles`; MissingColumn: one of several files lacks the text column.
    """
    source = source or open_source(settings)
    roles = roles or infer_roles(source, settings)
    reader = _Reader(roles, settings, ledger if ledger is not None else Ledger(), labelled)
    for part, place in zip(source.parts, _places(source.parts)):
        _check(part, roles, labelled)
        for raw, seen in _seen(source.rows(part), roles, part):
            if record := reader.record(raw, place, seen):
                yield record


Seen = tuple[Medium, tuple[str, ...]] | MediumError | None
"""A row's picture or sound, looked at, and what was done to it; or why it cannot be shown. None: there is none."""


def _seen(rows: Iterator[RawRow], roles: Roles, part: Part) -> Iterator[tuple[RawRow, Seen]]:
    """The rows, and what is seen of their pictures or sounds, which are decoded some rows ahead."""
    kind = SOUNDS if roles.recording else roles.files
    column = None if kind is None else roles.recording or roles.column_of(kind)
    if kind is None or column is None:
        yield from ((row, None) for row in rows)
        return

    def look(row: RawRow) -> Seen:
        try:
            medium = None if row.values is None else kind.of(row.values, column, folder_of(part))
            return None if medium is None else kind.look(medium)
        except MediumError as error:
            return error

    with quietly():
        yield from ahead(rows, look)


def folder_of(part: Part) -> Path:
    """From where a table names files."""
    return part.path if part.path.is_dir() else part.path.parent


def _places(parts: Sequence[Part]) -> list[str]:
    """What makes row numbers unique over several files: their splits, or else their order."""
    if len(parts) == 1:
        return [""]
    splits = [part.split for part in parts]
    distinct = None not in splits and len(set(splits)) == len(splits)
    return [f"{split if distinct else i}:" for i, split in enumerate(splits, 1)]


def _check(part: Part, roles: Roles, labelled: bool) -> None:
    needed = [("text", name) for name in roles.text]
    needed += [(kind.role, column) for kind in KINDS if (column := roles.column_of(kind)) is not None]
    if labelled and roles.target:
        needed.append(("target", roles.target))
    if labelled and roles.recording:
        needed.append(("sound", roles.recording))
    for role, name in needed:
        if name not in part.table.columns:
            raise MissingColumn(file=part.path, role=role, name=name, columns=", ".join(part.table.columns[:20]))


class _Reader:
    def __init__(self, roles: Roles, settings: DataSettings, ledger: Ledger, labelled: bool) -> None:
        self.roles, self.ledger, self.labelled = roles, ledger, labelled
        self.separator = roles.label_separator or settings.label_separator
        self.clean = Cleaner(settings.clean)
        self.store = Store()
        self.seen: dict[str, int] = {}
        """Id -> rows that asked for it."""
        self.used = {
            *roles.text,
            *roles.label,
            roles.group,
            roles.time,
            roles.id,
            roles.split,
            roles.target,
            roles.image,
            roles.sound,
            roles.recording,
        }

    def record(self, raw: RawRow, place: str = "", seen: Seen = None) -> Record | None:
        self.ledger.read += 1
        split = raw.split
        try:
            if raw.values is None:
                raise _Dropped(raw.problem)
            split = split or self._split(raw.values)
            label = self._label(raw.values)
            return Record(
                id=self._id(raw, place), input=self._input(raw, label, seen), label=label, target=self._target(raw, label, seen), group=self._optional(raw.values, self.roles.group),
                time=self._time(raw.values), split=split, file=raw.file, row=raw.number,
                extra={name: value for name, value in raw.values.items() if name not in self.used},
            )  # fmt: skip
        except _Dropped as drop:
            self.ledger.drop(drop.cause, split=split, label=drop.label)
        except UnicodeDecodeError:
            self.ledger.drop("undecodable bytes", split=split)
        if isinstance(seen, tuple):
            self.ledger.seconds_dropped += seconds_of(seen[0])
        return None

    def _input(self, raw: RawRow, label: Label, seen: Seen) -> Any:
        assert raw.values is not None
        if kind := self.roles.files:
            return self._medium(raw, label, seen, kind)
        return self._words(raw.values, label) if self.roles.kind == "tag" else self._text(raw.values, label)

    def _medium(self, raw: RawRow, label: Label, seen: Seen, kind: Kind) -> Medium:
        if seen is None:
            raise _Dropped(f"no {kind.one}", label)
        if isinstance(seen, MediumError):
            raise _Dropped(seen.cause, label)
        medium, changes = seen
        self.ledger.changes.update((*raw.changes, *changes))
        return self.store.keep(medium)

    def _text(self, values: dict[str, Any], label: Label) -> str:
        parts = [cells.cell_text(values.get(name)) for name in self.roles.text]
        text, changes = self.clean("\n".join(filter(None, parts)))
        if not text.strip():
            raise _Dropped("empty text", label)
        self.ledger.changes.update(changes)
        return text

    def _words(self, values: dict[str, Any], tags: Label) -> tuple[str, ...]:
        words, changes = self.clean.words(cells.words(values.get(self.roles.text[0])))
        if not words or not all(map(str.strip, words)):
            raise _Dropped("empty word" if words else "empty text")
        if isinstance(tags, tuple) and len(tags) != len(words):
            raise _Dropped("not as many tags as words")
        self.ledger.changes.update(changes)
        return words

    def _target(self, raw: RawRow, label: Label, seen: Seen) -> str | Medium | None:
        values = raw.values or {}
        if self.roles.recording and self.labelled:
            return self._medium(raw, label, seen, SOUNDS)
        if self.roles.target is None:
            return None
        text, changes = self.clean(cells.cell_text(values.get(self.roles.target)))
        if not text.strip():
            if self.labelled:
                raise _Dropped("empty target")
            return None
        self.ledger.changes.update(changes)
        return text

    def _label(self, values: dict[str, Any]) -> Label:
        try:
            if self.roles.kind == "tag":
                return _tags_of(values.get(self.roles.label[0]) if self.roles.label else None, self.roles)
            return _label_of(values, self.roles, self.separator)
        except _Dropped:
            if self.labelled:
                raise
            return None

    def _split(self, values: dict[str, Any]) -> str | None:
        if self.roles.split is None or not (name := self._optional(values, self.roles.split)):
            return None
        if (split := split_name(name) or test_name(name)) is None and self.labelled:
            raise _Dropped("unknown split")
        return split

    def _optional(self, values: dict[str, Any], column: str | None) -> str | None:
        return (without_controls(cells.cell_text(values.get(column))).strip() or None) if column else None

    def _time(self, values: dict[str, Any]) -> str | None:
        text = self._optional(values, self.roles.time)
        return text and (cells.time_text(text) or text)

    def _id(self, raw: RawRow, place: str) -> str:
        name = wanted = self._optional(raw.values or {}, self.roles.id) or f"{place}row-{raw.number}"
        if self.roles.id is None:
            return wanted
        while name in self.seen:
            self.seen[wanted] += 1
            name = f"{wanted}#{self.seen[wanted]}"
        if name != wanted:
            self.ledger.changes["duplicate id renamed"] += 1
        self.seen[name] = 1
        return name


def _tags_of(value: Any, roles: Roles) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Dropped("no label")
    tags = [cells.class_name(tag) for tag in cast(list[Any], value)]
    sound = normal(tags, roles.scheme or "plain") if all(tags) else None
    if sound is None:
        raise _Dropped("invalid tags")
    return sound


def _boxes_of(value: Any) -> tuple[Box, ...]:
    if not isinstance(value, tuple):
        raise _Dropped("no label")
    return cast(tuple[Box, ...], value)


def _label_of(values: dict[str, Any], roles: Roles, separator: str | None) -> Label:
    if not roles.label or roles.kind == "unlabelled":
        return None
    column, *more = roles.label
    if roles.kind == "detect":
        return _boxes_of(values.get(column))
    if more:
        flags = {name: cells.is_flag(values.get(name)) for name in roles.label}
        if None in flags.values():
            raise _Dropped("label is not 0 or 1")
        return tuple(sorted(name for name, flag in flags.items() if flag))
    value = values.get(column)
    if not (name := cells.class_name(value)):
        raise _Dropped("no label")
    if roles.kind == "classify_many":
        return cells.class_names(value, separator)
    if roles.kind == "regress":
        if (target := cells.number(name)) is None:
            raise _Dropped("label is not a number")
        return target
    return name
