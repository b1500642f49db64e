"""What waits for a model: rows by what is asked of them and by padded length, and work of other kinds. Whoever waits longest goes first;
what is no longer wanted (its client has left, its time is up) leaves uncomputed.

Requests come in from the event loop, one thread takes them out.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Any, Literal

from zhuji.core.contracts import Encoded
from zhuji.model.predictor import ALIKE, SPREAD, Predictor, padded, share

Kind = Literal["answer", "vector"]


@dataclass(eq=False, slots=True)
class Asking:
    """One request. `left` of its `results` are missing, which only the lane's thread counts down; only the event loop settles `future`.
    It is wanted `until` then, which is 0 once its client has left; `rows` are those that wait. `context`: in whose language other threads tell what is wrong
    with it."""

    future: asyncio.Future[Any]
    until: float
    results: list[Any]
    left: int
    born: float = field(default_factory=time.monotonic)
    rows: Sequence[Row] = ()
    context: Context = field(default_factory=copy_context)


@dataclass(eq=False, slots=True)
class Row:
    """One row that was read, and its place in the request."""

    asking: Asking
    place: int
    item: Any
    key: tuple[Kind, int]


@dataclass(eq=False, slots=True)
class Raw:
    """Short inputs as they came: those of all who wait are read together."""

    kind: Kind
    inputs: Sequence[Any]
    asking: Asking


@dataclass(eq=False, slots=True)
class Job:
    """Anything else that is done with the model."""

    work: Callable[[Predictor], Any]
    asking: Asking


class Queue:
    """Batches hold at most `batch_units` units, padding included. With `mixes` rows of unequal length are taken together, as
    `predictor.cut_freely` does."""

    def __init__(self, batch_units: int, mixes: bool = False) -> None:
        self.batch_units, self.mixes = batch_units, mixes
        self._raw: list[Raw] = []
        self._jobs: deque[Job] = deque()
        self._rows: dict[tuple[Kind, int], OrderedDict[Row, None]] = {}
        self._closing = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._rows.values())) + len(self._raw) + len(self._jobs)

    def post(self, what: Raw | Job) -> None:
        with self._changed:
            if isinstance(what, Raw):
                self._raw.append(what)
            else:
                self._jobs.append(what)
            self._changed.notify()

    def put(self, kind: Kind, items: Sequence[Any], asking: Asking) -> None:
        """Let what was read wait, unless nobody wants it any more."""
        rows = [Row(asking, place, item, (kind, padded(_length(item)))) for place, item in enumerate(items)]
        with self._changed:
            if not asking.until:
                return
            asking.rows = rows
            for row in rows:
                self._rows.setdefault(row.key, OrderedDict())[row] = None
            self._changed.notify()

    def withdraw(self, asking: Asking) -> None:
        """Nobody wants it any more."""
        with self._changed:
            asking.until = 0.0
            self._raw = [one for one in self._raw if one.asking is not asking]
            self._jobs = deque(one for one in self._jobs if one.asking is not asking)
            for row in asking.rows:
                waiting = self._rows.get(row.key, {})
                waiting.pop(row, None)
                if not waiting:
                    self._rows.pop(row.key, None)

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def take(self) -> list[Raw] | Job | tuple[Kind, list[Row]] | None:
        """What came in, or else what has waited longest, with its like; waits for it. None: there will be nothing more."""
        with self._changed:
            while True:
                if self._raw:
                    raw, self._raw = self._raw, []
                    return raw
                keys = [(next(iter(rows)).asking.born, key) for key, rows in self._rows.items()]
                if self._jobs and (not keys or self._jobs[0].asking.born <= min(keys)[0]):
                    return self._jobs.popleft()
                if keys:
                    kind, length = min(keys)[1]
                    if rows := self._cut(kind, length):
                        return kind, rows
                elif self._closing:
                    return None
                else:
                    self._changed.wait()

    def _cut(self, kind: Kind, length: int) -> list[Row]:
        """The oldest rows of one padded length, as `predictor.cut` cuts; or of lengths near it, as many as fit."""
        now = time.monotonic()
        near: list[tuple[Kind, int]] = [(kind, length)]
        if self.mixes:
            near = [
                key
                for key in self._rows
                if key[0] == kind and max(key[1], length) <= max(ALIKE, SPREAD**0.5 * min(key[1], length))
            ]
        longest = max(length for _, length in near)
        waiting = sum(len(self._rows[key]) for key in near)
        size = min(waiting, max(1, self.batch_units // longest)) if self.mixes else share(waiting, length, self.batch_units)
        oldest = merge(*(self._rows[key] for key in near), key=lambda row: row.asking.born)
        taken = list(islice(oldest, size))
        for row in taken:
            del self._rows[row.key][row]
        for key in near:
            if not self._rows[key]:
                del self._rows[key]
        return [row for row in taken if row.asking.until > now]


def _length(item: Any) -> int:
    return (item if isinstance(item, Encoded) else item.encoded).length
