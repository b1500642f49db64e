"""What a model costs in one format: a process of its own opens it, so that its memory and its time to open are no other's."""

from __future__ import annotations

import multiprocessing
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import psutil

from zhuji.core.records import Record

PATIENCE_SECONDS = 600
"""How long a process may say nothing: a large model opens for minutes."""


@dataclass(frozen=True)
class Opened:
    """`seconds` to open, golden rows included; `resident`: bytes that this took of memory."""

    seconds: float
    resident: int


class Guest:
    """A process that has one model open. To be used as a context."""

    def __init__(self, folder: Path) -> None:
        self._line, theirs = multiprocessing.Pipe()
        # Not by `multiprocessing`: that would run the caller's own script once more.
        words = [sys.executable, "-c", f"from {__name__} import serve; serve({theirs.fileno()}, {str(folder)!r})"]
        self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        try:
            self.opened: Opened = self._heard()
        except BaseException:
            self._leave()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._line.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def latencies(self, inputs: Sequence[Any]) -> list[float]:
        """Seconds for each input, asked one at a time."""
        return self._ask("latencies", inputs)

    def rate(self, inputs: Sequence[Any]) -> float:
        """Inputs a second, asked all at once."""
        return self._ask("rate", inputs)

    def peak(self) -> int:
        """Bytes: the most that the process had in memory so far."""
        return self._ask("peak")

    def score(self, records: Sequence[Record], seed: int, resamples: int) -> dict[str, float | None]:
        """The task's first metric with its 95 % interval; empty where this format cannot be scored."""
        return self._ask("score", records, seed, resamples)

    def _ask(self, what: str, *given: Any) -> Any:
        self._line.send((what, given))
        return self._heard()

    def _heard(self) -> Any:
        if not self._line.poll(PATIENCE_SECONDS):
            raise TimeoutError(f"no word from the process for {PATIENCE_SECONDS} seconds")
        try:
            found = self._line.recv()
        except EOFError:
            raise RuntimeError(f"the process that measured ended with {self._process.wait(10)}") from None
        if isinstance(found, Exception):
            raise found
        return found


def serve(handle: int, folder: str) -> None:
    """What the process does until the line is closed. What goes wrong is handed to who asked."""
    line = Connection(handle)
    try:
        model = _Model(Path(folder))
        line.send(model.opened)
        while True:
            what, given = line.recv()
            answer: Callable[..., Any] = getattr(model, what)
            line.send(answer(*given))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - another process waits for it
        line.send(error)


class _Model:
    def __init__(self, folder: Path) -> None:
        from zhuji import formats
        from zhuji.training import threads

        threads.use(None)
        before, begun = psutil.Process().memory_info().rss, time.perf_counter()
        self.predictor = formats.open_model(folder)
        self.opened = Opened(time.perf_counter() - begun, psutil.Process().memory_info().rss - before)

    def latencies(self, inputs: Sequence[Any]) -> list[float]:
        found: list[float] = []
        for raw in inputs:
            begun = time.perf_counter()
            next(iter(self.predictor.predict([raw])))
            found.append(time.perf_counter() - begun)
        return found

    def rate(self, inputs: Sequence[Any]) -> float:
        begun = time.perf_counter()
        count = sum(1 for _ in self.predictor.predict(inputs))
        return count / (time.perf_counter() - begun)

    def peak(self) -> int:
        # Not the peak that the system counts for a process: on Linux that one begins with what its parent had in memory.
        status = Path("/proc/self/status")
        told = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE) if status.is_file() else None
        return int(told[1]) * 1024 if told else psutil.Process().memory_info().rss

    def score(self, records: Sequence[Record], seed: int, resamples: int) -> dict[str, float | None]:
        from zhuji.core.errors import NoWeights
        from zhuji.training.evaluation import score

        answers = bool(self.predictor.model.task.answer_metrics())
        try:
            found = score(self.predictor, records, resamples=resamples, seed=seed, answers=answers)
        except NoWeights:
            return {}
        name, interval = next(iter(found.metrics.items()))
        return {"metric": name, **interval.as_dict()}  # pyright: ignore[reportReturnType]
