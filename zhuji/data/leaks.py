"""What would let a test score lie: rows that stand in two splits, columns that give the label away.

Splits are numbered train 0, valid 1, test 2. A row leaks when something ties it to a row of an earlier split: the same text (exact),
nearly the same text (near), the same group, the same id. To move, all that is tied together goes to the earliest split among it:
taking such rows out of test keeps the test clean, while taking them out of train would drop what the model may rightly learn.
Groups that a given split cuts through everywhere cannot be moved without emptying a split: they are kept and reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from zhuji.core.errors import LeakFound
from zhuji.core.records import SPLITS, Record, boxed
from zhuji.data.alike import exact_key, similarity
from zhuji.data.duplicates import join
from zhuji.data.proxies import Proxy, proxies
from zhuji.data.split import TEST
from zhuji.data.words import counted

Action = Literal["move", "refuse", "allow"]
KINDS = ("exact", "near", "group", "id")

COMPARED = 32
"""Rows of its cluster that a row is compared with to name its most similar partner."""
MOST_MOVED = 0.5
"""Share of a split's rows beyond which ties by group are not moved: then the split was not made by group."""
SHOWN = 1000
"""Pairs written to JSON; `found` counts them all."""

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Pair:
    """A row, the row that it is tied to, and how. `similarity` is 1 but for near duplicates."""

    id_a: str
    split_a: str
    id_b: str
    split_b: str
    kind: str
    similarity: float = 1.0


@dataclass(frozen=True, slots=True)
class Conflict:
    """Near duplicates with different labels: one of them may be wrong."""

    id_a: str
    label_a: Any
    id_b: str
    label_b: Any
    similarity: float


@dataclass
class Leaks:
    """`found`: rows that leak, by kind (a row can leak in several ways); `rows`: rows that leak in any way; `leaked`: ids of those
    that stood in test, to score with and without them; `moved`: rows by "from -> to"; `kept`: rows tied across splits by group
    that stay, because moving them would take most of a split (not among `rows` and `leaked`)."""

    action: Action
    rows: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    pairs: list[Pair] = field(default_factory=list[Pair])
    leaked: list[str] = field(default_factory=list[str])
    moved: Counter[str] = field(default_factory=Counter[str])
    kept: int = 0
    proxies: list[Proxy] = field(default_factory=list[Proxy])
    conflicts: list[Conflict] = field(default_factory=list[Conflict])

    @property
    def clean(self) -> bool:
        """Nothing ties the splits together and no column gives the label away."""
        return not self.rows and not self.kept and not self.proxies

    def as_dict(self) -> dict[str, Any]:
        """For `leaks.json`, the report and `--json`; long lists are cut to SHOWN, their sizes stand beside them."""
        return {
            "action": self.action,
            "rows": self.rows,
            "found": dict(self.found),
            "moved": dict(sorted(self.moved.items())),
            "kept": self.kept,
            "leaked": list(self.leaked),
            "proxies": [asdict(p) for p in self.proxies],
            "pairs_total": len(self.pairs),
            "pairs": [asdict(p) for p in self.pairs[:SHOWN]],
            "conflicts_total": len(self.conflicts),
            "conflicts": [asdict(c) for c in self.conflicts[:SHOWN]],
        }


def gate(
    records: Sequence[Record], splits: Array, cluster: Array, action: Action, *, file: str = "", groups: bool = True
) -> tuple[Array, Leaks]:
    """The splits (N,) int64 after the gate, and what it found. `cluster` (N,) int64: duplicates, from `duplicates.cluster_of`. Without
    `groups`, rows of one group are not tied: then a copy moves alone.

    Raises LeakFound when leaks are to be refused.
    """
    ties = {
        "copy": cluster,
        "group": numbered([r.group if groups else None for r in records]),
        "id": numbered([r.id for r in records]),
    }
    leaks = Leaks(action, proxies=proxies(records), conflicts=_conflicts(records, cluster))
    for name, tie in ties.items():
        rows = np.flatnonzero(splits > _earliest(tie, splits))
        pairs = _copies(records, splits, tie, rows) if name == "copy" else _tied(records, splits, tie, rows, name)
        leaks.pairs += pairs
        for kind, count in Counter(pair.kind for pair in pairs).items():
            leaks.found[kind] += count
    target = _earliest(blocks(*ties.values()), splits)
    if action == "move" and cut_through(ties["group"], splits):
        target = _earliest(blocks(cluster, ties["id"]), splits)
        leaks.kept = leaks.found["group"]
    leaking = splits > target
    leaks.rows = int(leaking.sum())
    leaks.leaked = [records[i].id for i in np.flatnonzero(leaking & (splits == TEST)).tolist()]
    if leaks.rows and action == "refuse":
        raise LeakFound(file=file or None, rows=leaks.rows, kinds=counted(leaks.found))
    if action != "move":
        return splits, leaks
    leaks.moved = Counter(f"{SPLITS[int(splits[i])]} -> {SPLITS[int(target[i])]}" for i in np.flatnonzero(leaking).tolist())
    return target, leaks


def numbered(names: Sequence[str | None]) -> Array:
    """A number for each name, (N,) int64; None is equal to nothing."""
    seen: dict[str | int, int] = {}
    return np.array([seen.setdefault(i if name is None else name, len(seen)) for i, name in enumerate(names)], np.int64)


def blocks(first: Array, *others: Array) -> Array:
    """The number of each row's block, (N,) int64: rows that any of the ties joins, however long the chain."""
    for other in others:
        order = np.argsort(other, kind="stable")
        same = np.flatnonzero(other[order][1:] == other[order][:-1])
        first = join(first, order[same], order[same + 1])
    return first


def _earliest(tie: Array, splits: Array) -> Array:
    """The earliest split in which each row's tie has a row, (N,) int64."""
    lowest = np.full(int(tie.max(initial=-1)) + 1, len(SPLITS))
    np.minimum.at(lowest, tie, splits)
    return lowest[tie]


def cut_through(tie: Array, splits: Array) -> bool:
    """Whether the splits (N,) were not made by this tie (N,): if each of its rows went where the earliest one stands, so many would leave a
    split that what stays is not that split any more."""
    rows = np.bincount(splits, minlength=len(SPLITS))
    gone = np.bincount(splits[splits > _earliest(tie, splits)], minlength=len(SPLITS))
    return bool((gone > MOST_MOVED * rows).any())


def _members(tie: Array, rows: Array) -> dict[int, Array]:
    """All rows of each tie that one of `rows` belongs to."""
    held = np.flatnonzero(np.isin(tie, tie[rows]))
    held = held[np.argsort(tie[held], kind="stable")]
    parts = np.split(held, np.flatnonzero(np.diff(tie[held])) + 1)
    return {int(tie[part[0]]): part for part in parts if len(part)}


def _tied(records: Sequence[Record], splits: Array, tie: Array, rows: Array, kind: str) -> list[Pair]:
    """Each row with the first row of an earlier split that it is tied to."""
    members = _members(tie, rows)
    pairs: list[Pair] = []
    for i in rows.tolist():
        others = members[int(tie[i])]
        pairs.append(_pair(records, splits, i, int(others[np.argmin(splits[others])]), kind))
    return pairs


def _copies(records: Sequence[Record], splits: Array, cluster: Array, rows: Array) -> list[Pair]:
    """Each row with the copy in an earlier split that is most like it."""
    inputs = [r.input for r in records]
    members = _members(cluster, rows)
    keys = {int(i): exact_key(inputs[int(i)]) for part in members.values() for i in part}
    exact: dict[int, int] = {}
    left: list[int] = []
    right: list[int] = []
    leaking: list[int] = rows.tolist()
    for i in leaking:
        before = [int(j) for j in members[int(cluster[i])] if splits[j] < splits[i]]
        same = next((j for j in before if keys[j] == keys[i]), None)
        if same is not None:
            exact[i] = same
        else:
            left += [i] * len(before[:COMPARED])
            right += before[:COMPARED]
    near = _best(inputs, left, right)
    pairs = [_pair(records, splits, i, j, "exact") for i, j in exact.items()]
    return pairs + [_pair(records, splits, i, j, "near", alike) for i, (j, alike) in near.items()]


def _best(inputs: Sequence[Any], left: list[int], right: list[int]) -> dict[int, tuple[int, float]]:
    """The most similar partner of each row of `left`, and how similar."""
    best: dict[int, tuple[int, float]] = {}
    for i, j, alike in zip(left, right, similarity(inputs, left, right).tolist(), strict=True):
        if i not in best or alike > best[i][1]:
            best[i] = (j, alike)
    return best


def _pair(records: Sequence[Record], splits: Array, a: int, b: int, kind: str, alike: float = 1.0) -> Pair:  # noqa: PLR0917
    split_a, split_b = SPLITS[int(splits[a])], SPLITS[int(splits[b])]
    return Pair(records[a].id, split_a, records[b].id, split_b, kind, round(alike, 4))


def _conflicts(records: Sequence[Record], cluster: Array) -> list[Conflict]:
    """In each cluster with several labels, every row that is not of its most frequent label beside the most similar row that is."""
    several = np.flatnonzero(np.bincount(cluster)[cluster] > 1) if len(cluster) else cluster
    left: list[int] = []
    right: list[int] = []
    for copies in _members(cluster, several).values():
        part: list[int] = copies.tolist()
        # Tags and boxes belong to one text or picture: those of a text that is nearly the same are others without being wrong.
        names = [None if isinstance(records[i].input, tuple) or boxed(records[i].label) else records[i].label for i in part]
        if len(set(names)) > 1 and not any(name is None or isinstance(name, float) for name in names):
            usual = Counter(names).most_common(1)[0][0]
            with_it = [i for i, name in zip(part, names, strict=True) if name == usual][:COMPARED]
            for i in (i for i, name in zip(part, names, strict=True) if name != usual):
                left += [i] * len(with_it)
                right += with_it
    best = _best([r.input for r in records], left, right)
    return [
        Conflict(records[i].id, records[i].label, records[j].id, records[j].label, round(alike, 4))
        for i, (j, alike) in best.items()
    ]
