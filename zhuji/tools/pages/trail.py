"""The log of a run as it grows: only what was added since the last look is read, and a line that is not whole yet waits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zhuji.tools.pages.plain import opened

Points = list[tuple[float, float]]

_MOST = 2**23
"""Bytes that are read at one look; of a longer log the rest comes at the next."""
_LONGEST = 2**20
"""Bytes after which what has no end of line is no line of a log."""
DRAWN = 160
"""Points of a line that are drawn: the extremes of as many stretches as fit."""
_PLAYERS = 4
"""Players whose losses are drawn."""


class Trail:
    """What `metrics.jsonl` has said so far.

    `lines`: the logged events with the numbers they hold, in order; `damaged`: how many lines were no such event. A resumed run writes its
    log anew up to where it goes on from: then the trail begins again too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def _forget(self, inode: int = 0) -> None:
        self._inode, self._offset = inode, 0
        self._rest = b""
        self.lines: list[dict[str, Any]] = []
        self.damaged = 0
        self._known: dict[tuple[object, ...], tuple[int, Any]] = {}

    def look(self) -> bool:
        """Read on; True if anything was added. Raises OSError where the file cannot be read as a plain file."""
        try:
            file, about = opened(self._path)
        except FileNotFoundError:
            changed = bool(self.lines)
            self._forget()
            return changed
        with file:
            if about.st_ino != self._inode or about.st_size < self._offset:
                self._forget(about.st_ino)
            file.seek(self._offset)
            added = file.read(_MOST)
        self._offset += len(added)
        *whole, self._rest = (self._rest + added).split(b"\n")
        if len(self._rest) > _LONGEST:
            self._rest, self.damaged = b"", self.damaged + 1
        for text in whole:
            self._take(text)
        return bool(whole)

    def _take(self, text: bytes) -> None:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict) and line.get("kind") in ("train", "valid") and number(line.get("step")) is not None:
            self.lines.append(spread(line))
        elif text.strip():
            self.damaged += 1

    def last(self, kind: str) -> Mapping[str, Any]:
        """The newest line of a kind; empty if there is none."""
        return next((line for line in reversed(self.lines) if line["kind"] == kind), {})

    @property
    def players(self) -> tuple[str, ...]:
        """Whose losses the log has, where several learn from each other."""
        return players_of(self.lines)

    def points(self, kind: str, key: str, over: str = "step") -> Points:
        """`(x, value)` of the lines of a kind; a value that is not finite stands as NaN, so that a curve shows a gap there."""
        found = [(number(line.get(over)), line.get(key)) for line in self.lines if line["kind"] == kind and key in line]
        return [(x, math.nan if (y := number(value)) is None else y) for x, value in found if x is not None]

    def drawn(self, kind: str, key: str, over: str = "step") -> Points:
        """The same, `thinned`."""
        return self._once((kind, key, over), lambda: thinned(self.points(kind, key, over)))

    def validated(self, step: float | None, over: str) -> float | None:
        """Where on an axis the validation of this step stands; None if there was none."""

        def found() -> float | None:
            return next((number(x.get(over)) for x in self.lines if x["kind"] == "valid" and x["step"] == step), None)

        return self._once((step, over), found)

    def _once(self, asked: tuple[object, ...], work: Callable[[], Any]) -> Any:
        """Worked out again only after the log has grown: the studio draws a hundred runs of which one goes on."""
        if asked not in self._known or self._known[asked][0] != len(self.lines):
            self._known[asked] = len(self.lines), work()
        return self._known[asked][1]


def spread(line: dict[str, Any]) -> dict[str, Any]:
    """A line in which the loss of each player, where several learn, stands by itself under `loss_of` its name."""
    losses = line.get("losses")
    return {**line, **{loss_of(name): loss for name, loss in losses.items()}} if isinstance(losses, dict) else line


def loss_of(player: str) -> str:
    return f"losses.{player}"


def players_of(lines: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The players of the newest training line, in the order in which they move."""
    losses = next((line.get("losses") for line in reversed(lines) if line["kind"] == "train"), None)
    return tuple(losses)[:_PLAYERS] if isinstance(losses, dict) else ()


def number(value: object) -> float | None:
    """A finite number, or None for whatever else a file may hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def thinned(points: Points, most: int = DRAWN) -> Points:
    """Of many points those that shape the line: the lowest and the highest of each stretch, as they are, and both ends."""
    if len(points) <= most:
        return list(points)
    width = len(points) / (most // 2)
    kept: list[int] = [0, len(points) - 1]
    for k in range(most // 2):
        stretch = range(int(k * width), int((k + 1) * width))
        finite = [i for i in stretch if math.isfinite(points[i][1])]
        if finite:
            kept += [min(finite, key=lambda i: points[i][1]), max(finite, key=lambda i: points[i][1])]
        if len(finite) < len(stretch):
            kept.append(next(i for i in stretch if not math.isfinite(points[i][1])))  # a gap stays a gap
    return [points[i] for i in sorted(set(kept))]
