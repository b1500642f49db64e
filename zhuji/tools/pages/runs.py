"""What run folders say, finished or not, one broken among them or not: the facts of the page over many runs and of the studio.

Folders are read as they lie there, by somebody who trusts none of them: a file of another shape, a link, a half-written line is told as a
problem of that run and of no other.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from zhuji.core.config import read_yaml
from zhuji.core.errors import ZhujiError
from zhuji.core.files import PARTIAL
from zhuji.tools.pages import plain
from zhuji.tools.pages.page import writable
from zhuji.tools.pages.trail import Trail, number

DONE, RUNNING, BEGINNING, STOPPED, BROKEN = "done", "running", "beginning", "stopped", "broken"
MARKS = ("run.yaml", "start.json", "results.json")
"""A folder that holds one of these is a run."""
_SILENCE = 90.0
"""Seconds without a line after which a run whose process is unknown counts as stopped, at the least; slow ones get five of their lines."""
_MOST_ROWS = 2**28
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Score:
    """A score with the ends of its 95 % interval where those are known."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, data: object) -> Score | None:
        """From `{"value", "low", "high"}`; None where there is no finite value."""
        table = _table(data)
        value, low, high = (number(table.get(key)) for key in ("value", "low", "high"))
        return None if value is None else cls(value, low, high)


@dataclass(frozen=True)
class Priced:
    """A format of the model as `zhuji benchmark` priced it on one machine; `p50`: milliseconds."""

    format: str
    bytes: float | None
    p50: float | None
    p95: float | None
    score: Score | None


@dataclass(frozen=True)
class Setting:
    """On what a run is judged: two runs stand beside each other only where all of this is the same."""

    data: tuple[str, ...]
    """SHA-256 of the files, or the fingerprint of the corpus; empty where nobody knows yet."""
    rows: str
    """Digest of which rows are the test split."""
    task: str
    label: str


@dataclass(frozen=True)
class RunFacts:
    """One run folder, read. Numbers that nobody knows are None; `since`: when it last gave a sign of life, in Unix seconds."""

    folder: Path
    state: str
    since: float
    problem: str = ""
    setting: Setting = Setting((), "", "", "")
    data: str = ""
    recipe: str = ""
    backbone: str = ""
    metric: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    parameters: float | None = None
    steps: float | None = None
    planned: float | None = None
    kept: float | None = None
    seconds: float | None = None
    joules: float | None = None
    joules_from: str = ""
    bundle_bytes: float | None = None
    test_rows: int = 0
    bad_steps: float = 0
    priced: tuple[Priced, ...] = ()
    machine: str = ""
    report: bool = False
    trail: Trail = field(default_factory=lambda: Trail(Path()))

    @property
    def name(self) -> str:
        return shown_folder(self.folder)


def shown_folder(folder: Path) -> str:
    """A folder's name as text, also where its bytes are none."""
    return writable(folder.name)


def run_folders(folder: Path) -> list[Path]:
    """The runs that a folder holds, by name; links and what is only being written are no runs. Empty where there is no such folder."""
    try:
        inner = sorted(path for path in folder.iterdir() if not path.name.startswith((PARTIAL, ".")))
    except OSError:
        return []
    return [path for path in inner if plain.is_folder(path) and is_run(path)]


def is_run(folder: Path) -> bool:
    """Is it the folder of a run, finished or not?"""
    return any(plain.is_file(folder / name) for name in MARKS)


class Reader:
    """Reads one run folder again and again; a file that did not change is not read twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trail = Trail(folder / "metrics.jsonl")
        self._kept: dict[str, tuple[Any, Any]] = {}

    def look(self) -> RunFacts:
        """The run as it stands now; whatever is wrong with its files is its `problem`, never an error."""
        try:
            return self._read()
        except (OSError, ValueError, ZhujiError) as error:
            return RunFacts(self.folder, BROKEN, _last_sign(self.folder), problem=_told(error))

    def _once(self, name: str, work: Callable[[Path], Any], key: str = "") -> Any:
        path, key = self.folder / name, key or name
        state = plain.changed(path)
        if key not in self._kept or self._kept[key][0] != state:
            self._kept[key] = state, work(path)
        return self._kept[key][1]

    def _read(self) -> RunFacts:
        self._trail.look()
        results = self._once("results.json", plain.mapping)
        start, plan = self._once("start.json", plain.mapping), self._once("plan.json", plain.mapping)
        run = self._once("run.yaml", _run)
        rows, count = self._once("splits.jsonl", _test_rows)
        priced = self._once("benchmark.json", plain.mapping)
        state = DONE if results else _state(self.folder, self._trail, self._once("process.json", plain.mapping))
        return RunFacts(
            self.folder, state, _last_sign(self.folder), setting=_setting(run, start, results, rows), data=_data(run),
            recipe=_word(run.get("recipe")), backbone=_word(_table(run.get("backbone")).get("name")),
            planned=number(plan.get("steps")), bundle_bytes=self._once("results.json", self._bundle, "bundle"),
            test_rows=count, priced=_priced(priced), machine=_machine(priced), report=plain.is_file(self.folder / "report.html"),
            trail=self._trail, **_numbers(results, self._trail), **_judged(results, self._trail, plan),
        )  # fmt: skip

    def _bundle(self, _: Path) -> float | None:
        """Bytes of the model folder, counted once it is complete."""
        bundle = self.folder / "bundle"
        if not plain.is_folder(bundle) or not plain.is_file(self.folder / "results.json"):
            return None
        return float(sum(path.lstat().st_size for path in bundle.rglob("*") if plain.is_file(path)))


def _told(error: Exception) -> str:
    if isinstance(error, ZhujiError):
        return error.message()
    if isinstance(error, OSError):
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return str(error)


def _table(data: object) -> Mapping[str, Any]:
    return data if isinstance(data, dict) else {}


def _word(data: object) -> str:
    return str(data)[:_LONGEST_TEXT] if isinstance(data, str | int | float) else ""


def _run(path: Path) -> Mapping[str, Any]:
    return _table(read_yaml(plain.text(path), path.name)) if plain.changed(path)[2] else {}


def _test_rows(path: Path) -> tuple[str, int]:
    """A digest of which rows are the test split, and how many they are."""
    if not plain.changed(path)[2]:
        return "", 0
    digest, count = hashlib.sha256(), 0
    for text in plain.text(path, _MOST_ROWS).splitlines():
        row = _table(json.loads(text)) if text.strip() else {}
        if str(row.get("split", "")).startswith("test"):
            digest.update(f"{row.get('id')} {row.get('row')}\n".encode())
            count += row["split"] == "test"
    return digest.hexdigest(), count


def _data(run: Mapping[str, Any]) -> str:
    corpora = _table(run.get("corpus")).get("sources")
    sources = [_table(run.get("data")), *(_table(source) for source in (corpora if isinstance(corpora, list) else []))]
    return _word(", ".join(Path(str(source["path"])).name for source in sources if source.get("path")))


def _setting(run: Mapping[str, Any], start: Mapping[str, Any], results: Mapping[str, Any], rows: str) -> Setting:
    files = _table(results.get("fingerprint")) or _table(start.get("data"))
    corpus = _word(_table(results.get("corpus")).get("fingerprint")) or _word(start.get("corpus"))
    hashes = sorted(sha for about in files.values() if (sha := _word(_table(about).get("sha256"))))
    if corpus:
        held = json.dumps(
            [_table(run.get("corpus")).get("held"), run.get("held"), run.get("seed")], sort_keys=True, default=str
        )
        hashes, rows = [corpus], hashlib.sha256(held.encode()).hexdigest()
    task = _word(_table(results.get("model")).get("task")) or _word(_table(run.get("task")).get("name"))
    return Setting(tuple(hashes), rows, task, _word(str(_table(run.get("data")).get("label") or "")))


def _judged(results: Mapping[str, Any], trail: Trail, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The metric that comes first, and all scores on the test split; of a pretraining those on what was held out."""
    scores = _scores(_table(results.get("test")) or _table(results.get("valid")))
    metric = _word(results.get("metric")) or next(iter(scores), "") or _word(plan.get("metric"))
    if not metric:
        others = ("kind", "step", "epoch", "seconds", "loss")
        metric = next((_word(name) for name in trail.last("valid") if name not in others), "")
    rivals = {_word(name): _scores(of) for name, of in _table(results.get("baselines")).items()}
    return {"metric": metric, "scores": scores, "baselines": rivals}


def _scores(data: object) -> dict[str, Score]:
    return {_word(name): score for name, of in _table(data).items() if (score := Score.of(of)) is not None}


def _numbers(results: Mapping[str, Any], trail: Trail) -> dict[str, Any]:
    last, cost = trail.last("train"), _table(results.get("cost"))
    newest = max((number(line.get("step")) or 0 for line in trail.lines[-2:]), default=None)
    steps = number(results.get("steps"))
    return {
        "parameters": number(_table(results.get("model")).get("parameters")), "steps": newest if steps is None else steps,
        "kept": number(results.get("best_step")), "joules": number(cost.get("joules")), "joules_from": _word(cost.get("joules_from")),
        "seconds": number(results.get("seconds")) if results else number((trail.lines or [{}])[-1].get("seconds")),
        "bad_steps": number(results.get("bad_steps") if results else last.get("bad_steps")) or 0,
    }  # fmt: skip


def _priced(benchmark: Mapping[str, Any]) -> tuple[Priced, ...]:
    formats = benchmark.get("formats")
    found = [_table(of) for of in formats] if isinstance(formats, list) else []
    return tuple(
        Priced(_word(of.get("format")), number(of.get("bytes")), number(of.get("p50_ms")), number(of.get("p95_ms")),
               Score.of(of.get("score")))
        for of in found
    )  # fmt: skip


def _machine(benchmark: Mapping[str, Any]) -> str:
    machine = benchmark.get("machine")
    return (
        ", ".join(_word(v) for v in machine.values() if _word(v))[:_LONGEST_TEXT]
        if isinstance(machine, dict)
        else _word(machine)
    )


def _last_sign(folder: Path) -> float:
    """When the newest of its own records was written."""
    names = (*MARKS, "metrics.jsonl", "process.json", "plan.json", "checkpoints")
    return max(plain.changed(folder / name)[0] for name in names) / 1e9


def _state(folder: Path, trail: Trail, process: Mapping[str, Any]) -> str:
    """Of a run without results: does it go on? Known where its process was one of this machine; else judged by its silence."""
    alive = _alive(process)
    if alive is None:
        last = trail.last("train")
        seconds, steps = number(last.get("seconds")) or 0.0, max(1, len(trail.lines))
        alive = time.time() - _last_sign(folder) < max(_SILENCE, 5 * seconds / steps)
    if not alive:
        return STOPPED
    return RUNNING if trail.lines else BEGINNING


def _alive(process: Mapping[str, Any]) -> bool | None:
    """None where the process is not known, or is another machine's."""
    pid, started = process.get("pid"), number(process.get("started"))
    if not isinstance(pid, int) or started is None or process.get("host") != platform.node():
        return None
    try:
        return abs(psutil.Process(pid).create_time() - started) < 2 and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):
        return False
