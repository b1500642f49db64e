"""Several processes that share one port, and who looks after them: one that dies is replaced, all are told to stop or to look for new
versions."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from zhuji.core.errors import ZhujiError, catalogue
from zhuji.serving import journal
from zhuji.serving.memory import asking, steady
from zhuji.serving.settings import ServeSettings

COUNTS = "PROMETHEUS_MULTIPROC_DIR"
SLOWEST = 30.0
"""Seconds between two tries to start a worker that dies at once."""
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    begun: float
    ready: bool = False


@dataclass
class _Crew:
    settings: ServeSettings
    listener: Any
    workers: list[_Worker] = field(default_factory=list)
    stopping: bool = False
    failures: int = 0
    """Workers in a row that died before they were ready."""
    next_try: float = 0.0

    def start(self) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=work, args=(self.settings.plain(), self.listener, theirs), name="zhuji-worker")
        process.start()
        theirs.close()
        self.workers.append(_Worker(process, ours, time.monotonic()))

    def tell(self, number: int) -> None:
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.process.pid, number)

    def stop(self, *_: object) -> None:
        """Nobody connects any more once the last holder of the port lets go of it."""
        self.stopping = True
        self.listener.close()
        self.tell(signal.SIGTERM)


def supervise(settings: ServeSettings, listener: Any, ready: Callable[[list[dict[str, Any]]], None]) -> None:
    """Keep `settings.workers` processes at work until told to stop. Raises what opening a model raises in the first of them."""
    crew = _Crew(settings, listener)
    with (
        _counts(),
        asking(),
        _signals({signal.SIGTERM: crew.stop, signal.SIGINT: crew.stop, signal.SIGHUP: lambda *_: crew.tell(signal.SIGHUP)}),
    ):
        try:
            _look_after(crew, ready)
        finally:
            crew.stop()
            _end(crew)


def _look_after(crew: _Crew, ready: Callable[[list[dict[str, Any]]], None]) -> None:
    announced = False
    while not crew.stopping or crew.workers:
        while not crew.stopping and len(crew.workers) < crew.settings.workers and time.monotonic() >= crew.next_try:
            crew.start()
        heard = [worker.pipe for worker in crew.workers if not worker.ready]
        wait([*heard, *(worker.process.sentinel for worker in crew.workers)], timeout=0.2)
        for worker in [*crew.workers]:
            said = _said(worker)
            if said is not None and said[0] == "failed" and not announced:
                raise catalogue()[said[1]](**said[2])
            if said is not None and said[0] == "ready":
                worker.ready, crew.failures = True, 0
                journal.say("worker_ready", pid=worker.process.pid)
                if not announced and all(one.ready for one in crew.workers):
                    announced = True
                    ready(said[1])
            if not worker.process.is_alive():
                _bury(crew, worker)


def _said(worker: _Worker) -> Any:
    with contextlib.suppress(EOFError, OSError):
        if not worker.ready and worker.pipe.poll():
            return worker.pipe.recv()
    return None


def _bury(crew: _Crew, worker: _Worker) -> None:
    crew.workers.remove(worker)
    worker.process.join()
    worker.pipe.close()
    _forget(worker.process.pid)
    if not crew.stopping:
        if not worker.ready:
            crew.failures += 1
            crew.next_try = time.monotonic() + min(SLOWEST, 0.5 * 2**crew.failures)
        journal.say("worker_died", level="error", pid=worker.process.pid, code=worker.process.exitcode)


def _end(crew: _Crew) -> None:
    until = time.monotonic() + crew.settings.drain + 5
    for worker in crew.workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _forget(pid: int) -> None:
    """Counts that are those of living processes only."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)


@contextlib.contextmanager
def _counts() -> Iterator[None]:
    """A folder in which the workers write what they count."""
    folder = tempfile.mkdtemp(prefix="zhuji-counts-")
    os.environ[COUNTS] = folder
    try:
        yield
    finally:
        del os.environ[COUNTS]
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _signals(handlers: dict[signal.Signals, Callable[..., None]]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def work(settings: dict[str, Any], listener: Any, pipe: Connection) -> None:
    """The life of one worker, in a process of its own; it ends when whoever looks after it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor tells us
    from zhuji.serving.app import create
    from zhuji.serving.run import Server

    told = ServeSettings.parse(settings)
    try:
        steady()
        app = create(told)
    except ZhujiError as error:
        place = {"file": error.file, "row": error.row, "column": error.column, "value": error.value}
        pipe.send(("failed", error.code, {**place, **error.facts}))
        return

    def ready(models: list[dict[str, Any]]) -> None:
        pipe.send(("ready", models))
        asyncio.get_running_loop().add_reader(pipe.fileno(), orphaned)

    def orphaned() -> None:
        asyncio.get_running_loop().remove_reader(pipe.fileno())
        server.should_exit = True

    server = Server(app, told, ready)
    server.run(sockets=[listener])
