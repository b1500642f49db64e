"""Worker processes: what a crew does about those that die. Two real ones stand in tests/slow/test_workers.py."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import ClassVar

import pytest

from tests.serving import house
from zhuji.core.errors import DamagedBundle
from zhuji.serving import supervisor


class Process:
    """Stands in for a process: lives until it is told to stop."""

    made: ClassVar[list] = []

    def __init__(self, **_):
        self.pid, self.exitcode, self.alive, self.told = 10_000_000 + len(self.made), None, True, []
        self.made.append(self)
        self.sentinel, self.ours = None, None

    def start(self):
        pass

    def is_alive(self):
        return self.alive

    def join(self, *_):
        pass


class Pipe:
    def __init__(self, *said):
        self.said = list(said)

    def poll(self):
        return bool(self.said)

    def recv(self):
        return self.said.pop(0)

    def close(self):
        pass


@pytest.fixture
def crew(monkeypatch):
    """Two workers; `script` says, turn by turn, what happens."""
    Process.made = []
    pipes, script = [], []
    now = [0.0]
    monkeypatch.setattr(supervisor, "_SPAWN", SimpleNamespace(Process=Process, Pipe=lambda: (pipes.pop(0), Pipe())))
    monkeypatch.setattr(supervisor, "wait", lambda *_, **__: script.pop(0)())
    monkeypatch.setattr(supervisor, "_forget", lambda pid: None)
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    made = supervisor._Crew(house.settings(workers=2), SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(
        supervisor.os, "kill", lambda pid, number: [one.told.append(number) for one in Process.made if one.pid == pid]
    )
    return made, pipes, script, now


def stopped(crew):
    def happen():
        crew.stop()
        for one in Process.made:
            one.alive = False

    return happen


def test_a_worker_that_dies_is_replaced_and_others_stay(crew):
    made, pipes, script, _ = crew
    pipes += [Pipe(("ready", ["m"])) for _ in range(3)]
    heard = []

    def die():
        Process.made[0].alive = False

    script += [lambda: None, die, lambda: None, stopped(made)]
    supervisor._look_after(made, heard.append)
    assert len(Process.made) == 3 and heard == [["m"]]
    assert Process.made[1].told == [signal.SIGTERM] == Process.made[2].told


def test_workers_that_die_at_once_are_started_ever_more_slowly(crew):
    made, pipes, script, now = crew
    pipes += [Pipe() for _ in range(20)]

    def die():
        now[0] += 0.1
        for one in Process.made:
            one.alive = False

    script += [die] * 50 + [stopped(made)]
    supervisor._look_after(made, lambda _: None)
    assert len(Process.made) <= 6


def test_a_model_that_cannot_be_opened_ends_it_with_its_error(crew):
    made, pipes, script, _ = crew
    pipes += [Pipe(("failed", "DamagedBundle", {"file": "x", "why": "gone"})), Pipe()]
    script += [lambda: None]
    with pytest.raises(DamagedBundle, match="gone"):
        supervisor._look_after(made, lambda _: None)
