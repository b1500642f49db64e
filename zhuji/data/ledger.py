"""The row ledger: every row read has exactly one fate, and read = used + cut + dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from zhuji.core.records import Label, boxed, class_names, named

Fate = Literal["used", "cut", "dropped"]
_SECONDS = ("seconds", "seconds_cut", "seconds_dropped")
FATES: tuple[Fate, ...] = ("used", "cut", "dropped")

UNKNOWN = "(unknown)"
"""Split or class of a row that was dropped before it could be read."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """What happened to a kind of row. `used`: whole; `cut`: used, but some of it cut off; `dropped`: not used.

    `cause` names the rule (`empty text`, `too long`, …); it is empty for `used`.
    """

    fate: Fate
    cause: str
    split: str
    label: str


@dataclass
class Ledger:
    """`read` counts rows as they leave the source; `settle` gives each its fate. `changes` counts rows that a filter mended,
    `moved` rows that changed split; neither is a fate. Units are counted over the rows that are used or cut, seconds of
    sounds likewise; `seconds_dropped` are those of dropped rows whose sounds could be heard.
    """

    read: int = 0
    fates: Counter[Entry] = field(default_factory=Counter[Entry])
    changes: Counter[str] = field(default_factory=Counter[str])
    moved: Counter[str] = field(default_factory=Counter[str])
    added: Counter[str] = field(default_factory=Counter[str])
    """Training rows made by oversampling or augmentation, by class: they were never read."""
    units: int = 0
    units_cut: int = 0
    seconds: float = 0.0
    seconds_cut: float = 0.0
    seconds_dropped: float = 0.0

    def settle(self, fate: Fate, cause: str = "", *, split: str | None, label: Label, rows: int = 1) -> None:
        if isinstance(label, tuple):
            name = "|".join(class_names(label) if boxed(label) else named(label))
        else:
            name = UNKNOWN if label is None else str(label)
        self.fates[Entry(fate, cause, split or UNKNOWN, name)] += rows

    def drop(self, cause: str, *, split: str | None = None, label: Label = None, rows: int = 1) -> None:
        self.settle("dropped", cause, split=split, label=label, rows=rows)

    def measure(self, units: int, cut: int, unit_seconds: float, heard: float) -> None:
        """Counts the units of a row that are kept and that are cut off, each of which lasts `unit_seconds`, and the seconds `heard` of its sound: what is
        not cut off of them is used. Units alone do not tell: a last frame may be empty for the most part."""
        self.units += units
        self.units_cut += cut
        lost = min(heard, cut * unit_seconds)
        self.seconds += heard - lost
        self.seconds_cut += lost

    def total(self, fate: Fate | None = None, **where: str) -> int:
        """Rows with this fate (any if None) and these `cause`, `split`, `label`."""
        return sum(
            n
            for entry, n in self.fates.items()
            if (fate is None or entry.fate == fate) and all(getattr(entry, k) == v for k, v in where.items())
        )

    @property
    def balanced(self) -> bool:
        """The identity: read = used + cut + dropped."""
        return self.read == self.total()

    def causes(self, fate: Fate) -> Counter[str]:
        found: Counter[str] = Counter()
        for entry, n in self.fates.items():
            if entry.fate == fate:
                found[entry.cause] += n
        return found

    def splits(self) -> Iterator[str]:
        yield from sorted({entry.split for entry in self.fates})

    def as_dict(self) -> dict[str, Any]:
        """For `ledger.json`, the report and `--json`; `from_dict` is its inverse."""
        return {
            "read": self.read,
            **{fate: self.total(fate) for fate in FATES},
            "balanced": self.balanced,
            "causes": {fate: dict(sorted(self.causes(fate).items())) for fate in ("cut", "dropped")},
            "changes": dict(sorted(self.changes.items())),
            "moved": dict(sorted(self.moved.items())),
            "added": dict(sorted(self.added.items())),
            "units": self.units,
            "units_cut": self.units_cut,
            **{name: round(getattr(self, name), 3) for name in _SECONDS},
            "rows": [
                {"fate": e.fate, "cause": e.cause, "split": e.split, "label": e.label, "rows": n}
                for e, n in sorted(self.fates.items())
            ],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Ledger:
        fates = Counter[Entry]({Entry(r["fate"], r["cause"], r["split"], r["label"]): r["rows"] for r in data["rows"]})
        return cls(
            data["read"], fates, Counter[str](data["changes"]), Counter[str](data["moved"]), Counter[str](data["added"]),
            data["units"], data["units_cut"], *(data.get(name, 0.0) for name in _SECONDS),
        )  # fmt: skip
