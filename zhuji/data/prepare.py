"""From a file to rows that can be trained on: read, cleaned, split, guarded against leaks, balanced, all rows accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zhuji.core.errors import BadSetting, EmptyData, NoRole, OneClass, TooManyDropped
from zhuji.core.log import in_language
from zhuji.core.records import SPLITS, Label, Record, Sound, boxed, class_names, named
from zhuji.data.alike import cluster_of
from zhuji.data.balance import oversampled
from zhuji.data.infer import Roles, infer_roles
from zhuji.data.leaks import Leaks, blocks, cut_through, gate, numbered
from zhuji.data.ledger import Ledger
from zhuji.data.media import heard_in
from zhuji.data.names import split_name, test_name
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.data.sources import open_source
from zhuji.data.split import Array, assign, method, moments, require
from zhuji.data.tags import kinds
from zhuji.data.words import counted

_OF_PAIRS = ("translate", "transcribe", "speak")
"""Tasks that learn from two: a text and its translation, a sound and what is said in it."""
KNOWN = "test_known"
"""The test set of the groups that are not held out."""


@dataclass
class Prepared:
    """`records`: the rows kept, in file order, each with its split, then the rows made for balance. In `ledger` the dropped rows are
    settled; the others are settled in training, once it is known which are cut. `more_tests`: names of the test sets beside `test`."""

    records: list[Record]
    roles: Roles
    ledger: Ledger
    leaks: Leaks
    fingerprint: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    more_tests: tuple[str, ...] = ()

    def split(self, name: str) -> list[Record]:
        """The rows of train, valid, test or one of `more_tests`."""
        return [r for r in self.records if r.split == name]


def prepare(settings: DataSettings, seed: int, *, task: str = "auto") -> Prepared:
    """Everything between a file and the first batch.

    `task`: `auto` takes the labels as they look; `classify`, `regress`, `tag`, `translate`, `transcribe` and `speak` insist; `any` and `generate` do without labels
    where there are none. Of several test sets (`test_2016`, `test_2017`) the first by name is the test split, if none is called just so.
    Raises what reading raises, and NoRole, EmptyData, TooManyDropped, TooFewRows, OneClass, LeakFound.
    """
    source = open_source(settings)
    roles = _insisted(infer_roles(source, settings, pairs=task in _OF_PAIRS), task, source.columns)
    ledger = Ledger()
    records = list(read_records(settings, roles, ledger, source=source))
    records = _usable(records, settings, ledger)
    limit_dropped(ledger, settings)
    if not records:
        raise EmptyData(file=settings.path)
    further = _further_tests(records)
    records, leaks = divided([_in_one_test(r) for r in records], settings, seed)
    records = [replace(r, split=further[r.id]) if r.split == "test" and r.id in further else r for r in records]
    ledger.moved.update(leaks.moved)
    train = [r for r in records if r.split == "train"]
    if roles.kind in ("classify", "classify_many") and task != "generate":
        _several_classes(train, settings)
    if settings.balance.sample == "over":
        made = oversampled(train, seed, words=settings.balance.augment == "words")
        ledger.added.update(_class_name(r) for r in made)
        records += made
    about = {
        "files": [f.name for f in source.files], "columns": list(source.columns), "format": source.format,
        "encoding": source.encoding, "delimiter": source.delimiter, "why": dict(source.why),
    }  # fmt: skip
    more = tuple(sorted(set(further.values())))
    return Prepared(records, roles, ledger, leaks, source.fingerprint(), about, more)


def divided(records: Sequence[Record], settings: DataSettings, seed: int) -> tuple[list[Record], Leaks]:
    """The records with their splits, and the leaks found. A record's own split, where it has one, is kept unless a leak moves it;
    parts that are missing are cut from train, never through a cluster of copies or a group, except by time.

    Raises NoRole, TooFewRows, LeakFound.
    """
    cluster = cluster_of([r.input for r in records], settings.near, seed)
    first = assign(
        records,
        _bound(records, cluster, settings),
        settings.splits,
        seed if settings.splits.seed is None else settings.splits.seed,
        file=settings.path,
    )
    # A group that is held out is whole by itself, and must not follow one copied row into training.
    grouped = not settings.splits.hold_out
    splits, leaks = gate(records, first, cluster, settings.leaks, file=settings.path, groups=grouped)
    require(splits, np.unique(first).tolist(), settings.path)
    return [replace(r, split=SPLITS[part]) for r, part in zip(records, splits.tolist(), strict=True)], leaks


def _bound(records: Sequence[Record], cluster: Array, settings: DataSettings) -> Array:
    """The number of each row's block: copies, and rows of one group. Only copies bind, unless a split by group was asked for, where groups
    hang together so much that one block holds more than half of the rows, or are so few, that no split by group is possible, and where the records' own
    splits cut through the groups: validation by a group that training never meets would not foresee such a test. Then what is said binds in place of who
    says it: two voices that say the same are no two sentences."""
    copies, group = blocks(cluster, numbered([r.id for r in records])), numbered([r.group for r in records])
    grouped = blocks(copies, group)
    own = np.array([SPLITS.index(r.split) if r.split else 0 for r in records])
    parts = 1 + bool(settings.splits.valid) + bool(settings.splits.test)
    if settings.splits.by == "group" or not (_lumped(grouped, parts) or cut_through(group, own)):
        return grouped
    said = blocks(copies, numbered([r.target if isinstance(r.input, Sound) else None for r in records]))
    return copies if _lumped(said, parts) else said


def _lumped(tie: Array, parts: int) -> bool:
    """Whether one block holds more than half of the rows, or there are fewer blocks than splits."""
    sizes = np.bincount(tie)
    return bool(sizes.max() > len(tie) / 2 or np.count_nonzero(sizes) < parts)


def limit_dropped(ledger: Ledger, settings: DataSettings) -> None:
    """Raises TooManyDropped when more rows were dropped than `max_dropped` allows."""
    dropped = ledger.total("dropped")
    if dropped > settings.max_dropped * ledger.read:
        causes = counted(dict(ledger.causes("dropped").most_common()))
        raise TooManyDropped(
            file=settings.path, limit=f"{settings.max_dropped:.3%}".replace(".000%", "%"),
            dropped=dropped, read=ledger.read, causes=causes,
        )  # fmt: skip


def _insisted(roles: Roles, task: str, columns: Sequence[str]) -> Roles:
    needed = {"tag": "label", **dict.fromkeys(_OF_PAIRS, "target")}.get(task)
    if needed and roles.kind != {"label": "tag", "target": "pair"}[needed]:
        raise NoRole(role=needed, columns=", ".join(columns))
    if task not in ("any", "generate") and roles.kind == "unlabelled":
        raise NoRole(role="label", columns=", ".join(columns))
    if task == "speak":
        if roles.sound is None:
            raise NoRole(role="sound", columns=", ".join(columns))
        return roles.spoken()
    if task == "regress":
        return replace(roles, kind="regress")
    if task in ("classify", "generate") and roles.kind == "regress":
        return replace(roles, kind="classify")
    return roles


def _usable(records: Sequence[Record], settings: DataSettings, ledger: Ledger) -> list[Record]:
    """The records that have a split if others do, and a time if rows are divided by it; the others are dropped with the cause."""
    records = _held_out(records, settings)
    has_split = any(r.split is not None for r in records)
    by_time = not has_split and method(settings.splits, records) == "time"
    times = moments(records) if by_time else [0.0] * len(records)
    usable: list[Record] = []
    for record, time in zip(records, times, strict=True):
        split = split_name(record.split) or test_name(record.split)
        if has_split and split is None:
            ledger.drop("unknown split", label=counted_as(record))
            ledger.seconds_dropped += heard_in(record)
        elif np.isnan(time):
            ledger.drop("unreadable time", label=counted_as(record))
            ledger.seconds_dropped += heard_in(record)
        else:
            usable.append(replace(record, split=split))
    return usable


def _held_out(records: Sequence[Record], settings: DataSettings) -> list[Record]:
    """With groups held out, theirs is the test split; test rows that a file gives of other groups become test sets of their own."""
    held = set(settings.splits.hold_out)
    if not held:
        return list(records)
    if absent := sorted(held - {record.group for record in records}):
        rule = in_language("must be groups that the group column holds", "必须是分组列中的组名")
        raise BadSetting(file=settings.path, key="data.splits.hold_out", rule=rule, value=absent[0])

    def split(record: Record) -> str:
        if record.group in held:
            return "test"
        return KNOWN if split_name(record.split) == "test" else record.split or "train"

    return [replace(record, split=split(record)) for record in records]


def _further_tests(records: Sequence[Record]) -> dict[str, str]:
    """Row id -> test set, of the rows whose test set is not the test split."""
    several = {r.id: r.split for r in records if r.split and r.split not in SPLITS}
    first = min(several.values(), default="")
    chosen = "" if any(r.split == "test" for r in records) else first
    return {id: name for id, name in several.items() if name != chosen}


def _in_one_test(record: Record) -> Record:
    return record if record.split is None or record.split in SPLITS else replace(record, split="test")


def counted_as(record: Record) -> Label:
    """What stands for a row's label where rows are counted by it: of tags, what they mark; of boxes, their classes."""
    if boxed(record.label):
        return class_names(record.label)
    if isinstance(record.label, tuple) and isinstance(record.input, tuple):
        return kinds(named(record.label))
    return record.label


def _class_name(record: Record) -> str:
    label = counted_as(record)
    return "|".join(class_names(label)) if isinstance(label, tuple) else str(label)


def _several_classes(train: Sequence[Record], settings: DataSettings) -> None:
    classes = Counter(_class_name(r) for r in train)
    if len(classes) == 1:
        [(label, rows)] = classes.items()
        raise OneClass(file=settings.path, rows=rows, label=label)
