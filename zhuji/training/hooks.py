"""Who watches a run: the progress line, `metrics.jsonl` and TensorBoard files. Watchers see numbers only; none can change a run."""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from zhuji.core.files import atomic_file
from zhuji.core.log import in_language, say
from zhuji.core.quantity import bytes_text, count_text, seconds_text

Line = Mapping[str, Any]
"""One event: `kind` is `train` (since the last such line) or `valid`; `step`, `epoch`, `seconds` and the numbers. Where several players learn,
`losses` is each one's and `loss` their sum."""


class Watcher(Protocol):
    """Who sees the lines of a run as they are written."""

    def see(self, line: Line) -> None: ...

    def sync(self) -> None:
        """Called before a checkpoint: what was seen must outlive a loss of power."""
        ...

    def close(self) -> None: ...


class Watchers:
    """Several watchers as one."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = list(watchers)

    def see(self, line: Line) -> None:
        for watcher in self._watchers:
            watcher.see(line)

    def sync(self) -> None:
        for watcher in self._watchers:
            watcher.sync()

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.close()


class MetricsFile:
    """`metrics.jsonl`: one line an event. Opening it at step s forgets what was written after s: those steps come again."""

    def __init__(self, path: Path, step: int) -> None:
        kept = [text for text in _lines(path) if _step(text) <= step]
        with atomic_file(path) as file:
            file.writelines(f"{text}\n".encode() for text in kept)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed in close()

    def see(self, line: Line) -> None:
        # One write of one line: a kill leaves it whole or not there.
        self._file.write(json.dumps(dict(line), ensure_ascii=False).encode() + b"\n")

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _step(text: str) -> float:
    """The step of a line; infinite for one that a loss of power cut in half."""
    try:
        return json.loads(text)["step"]
    except ValueError:
        return float("inf")


class Board:
    """TensorBoard event files, by tensorboardX; a resumed run writes its own file and hides what it does again."""

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def see(self, line: Line) -> None:
        losses = {f"loss/{player}": loss for player, loss in line.get("losses", {}).items()}
        for name, value in {**line, **losses}.items():
            if isinstance(value, int | float) and name not in ("step", "kind"):
                self._writer.add_scalar(f"{line['kind']}/{name}", value, line["step"])

    def sync(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class ProgressLine:
    """One line on standard error: kept up to date in place on a terminal, written now and then elsewhere."""

    def __init__(self, steps: int, epochs: float, metric: str, every: float = 15.0) -> None:
        self._steps, self._epochs, self._metric, self._every = steps, epochs, metric, every
        self._train: Line = {}
        self._score: float | None = None
        self._last = time.monotonic()
        self._live = _live() if sys.stderr.isatty() else None

    def see(self, line: Line) -> None:
        if line["kind"] == "valid":
            self._score = line.get(self._metric)
        else:
            self._train = line
        if not self._train:
            return
        if self._live is not None:
            self._live.update(self.text(), refresh=True)
        elif line["kind"] == "valid" or time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            say(self.text())

    def text(self) -> str:
        """The line as it stands now."""
        line = self._train
        parts = [
            f"{in_language('epoch', '轮')} {line['epoch']:.3g}/{self._epochs:.3g}",
            f"{in_language('step', '步')} {line['step']}/{self._steps}",
            f"{in_language('loss', '损失')} {line['loss']:.4f}",
            *(f"{player} {loss:.4f}" for player, loss in line.get("losses", {}).items()),
        ]
        if self._score is not None:
            parts.append(f"{self._metric} {self._score:.4f}")
        left = line["seconds"] / max(1, line["step"]) * (self._steps - line["step"])
        parts += [
            f"lr {line['lr']:.2e}",
            f"{count_text(line['units_per_second'])} {in_language('units/s', '单元/秒')}",
            bytes_text(line["rss_mb"] * 2**20),
            f"{seconds_text(left)} {in_language('left', '剩余')}",
        ]
        if line["bad_steps"]:
            parts.append(f"{line['bad_steps']} {in_language('bad steps', '个坏步')}")
        return " · ".join(parts)

    def sync(self) -> None:
        """Nothing to keep."""

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


def _live() -> Any:
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(stderr=True), auto_refresh=False)
    live.start()
    return live
