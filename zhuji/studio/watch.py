"""What is going on in a folder of runs, looked at again and again, as the parts of one page."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.errors import language
from zhuji.core.log import in_language as say_in
from zhuji.core.quantity import bytes_text, count_text, seconds_text
from zhuji.studio.warnings import warnings_of
from zhuji.tools.pages.across import Drawn, Numbered, across, run_curves
from zhuji.tools.pages.groups import logged_metric
from zhuji.tools.pages.page import render
from zhuji.tools.pages.plain import is_file, is_folder
from zhuji.tools.pages.runs import BEGINNING, RUNNING, Reader, RunFacts, is_run, run_folders, shown_folder
from zhuji.tools.pages.trail import number

PAGE = Path(__file__).parent / "page"
_FRESH = 0.5
"""Seconds for which one look serves everybody who asks."""


@dataclass(frozen=True)
class Live:
    """A run under way: how far it is, what it does, and what is worth worrying about."""

    number: int
    label: str
    name: str
    steps: float | None
    planned: float | None
    told: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    pictures: tuple[Drawn, ...]


class Watch:
    """Looks at a folder of runs, or at one run; safe to be asked by many at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._readers: dict[Path, Reader] = {}
        self._lock = threading.Lock()
        self._runs: list[RunFacts] = []
        self._parts: dict[str, tuple[float, dict[str, str]]] = {}
        self._looked = -math.inf

    def runs(self) -> list[RunFacts]:
        """The runs as they stand now; folders that appear or vanish between two looks come and go."""
        with self._lock:
            if time.monotonic() - self._looked >= _FRESH:
                folders = [self.folder] if is_run(self.folder) else run_folders(self.folder)
                self._readers = {path: self._readers.get(path) or Reader(path) for path in folders}
                self._runs = [reader.look() for reader in self._readers.values()]
                self._looked = time.monotonic()
            return self._runs

    def report(self, name: str) -> Path | None:
        """The report of the run of this name; None for a name that is none of the runs seen, and for what is not a plain file.

        The name is only compared, never made into a path.
        """
        found = next((run.folder for run in self.runs() if run.name == name), None)
        if found is None or not is_folder(found) or not is_file(found / "report.html"):
            return None
        return found / "report.html"

    def parts(self) -> dict[str, str]:
        """The page in the language of now: HTML by the name of its part, in their order."""
        runs = self.runs()
        with self._lock:
            kept = self._parts.get(language())
            if kept is not None and kept[0] == self._looked:
                return kept[1]
            looked = self._looked
        parts = self._drawn(runs)
        with self._lock:
            self._parts[language()] = looked, parts
        return parts

    def _drawn(self, runs: Sequence[RunFacts]) -> dict[str, str]:
        found = across(runs, "runs/")

        def part(which: str, **facts: Any) -> str:
            return render("studio_parts.html", beside=PAGE, which=which, found=found, **facts).strip()

        parts = {"summary": part("summary", gone=not is_folder(self.folder))}
        numbers = {run.folder: i for i, run in enumerate(runs)}
        for run in runs:
            if run.state in (RUNNING, BEGINNING):
                parts[f"live-{numbers[run.folder]}"] = part("live", live=live(Numbered(numbers[run.folder], run)))
        if found["groups"]:
            parts["table"] = part("table")
        parts |= {group["key"]: part("group", each=group) for group in found["groups"]}
        if found["apart"]:
            parts["apart"] = part("apart")
        return parts

    @property
    def title(self) -> str:
        return shown_folder(self.folder)


def live(numbered: Numbered) -> Live:
    """The card of a run that is under way."""
    run = numbered.run
    metric = logged_metric([run], run.metric)
    return Live(
        numbered.number, numbered.label, numbered.name, run.steps, run.planned, _told(run), tuple(_facts(run, metric)), tuple(warnings_of(run)),
        tuple(run_curves([numbered], metric, "step")),
    )  # fmt: skip


def _told(run: RunFacts) -> str:
    if run.state == BEGINNING:
        return say_in("Getting ready: reading data, building the model, rehearsing.", "准备中：读取数据、搭建模型、预演。")
    if run.planned and run.steps is not None and run.steps >= run.planned:
        return say_in("All steps are done: testing and saving.", "全部步已完成：正在测试与保存。")
    return say_in("Training", "训练中")


def _facts(run: RunFacts, metric: str) -> list[tuple[str, str]]:
    train, valid = run.trail.last("train"), run.trail.last("valid")
    rows = [(say_in("data", "数据"), run.data), (say_in("model", "模型"), run.recipe or run.backbone)]
    found: Sequence[tuple[str, float | None, Any]] = (
        (say_in("epoch", "轮"), number(train.get("epoch")), lambda v: f"{v:.3g}"),
        (say_in("loss", "损失"), number(train.get("loss")), lambda v: f"{v:.4g}"),
        (say_in("validation ", "验证集 ") + metric, number(valid.get(metric)), lambda v: f"{v:.4g}"),
        (say_in("learning rate", "学习率"), number(train.get("lr")), lambda v: f"{v:.2e}"),
        (say_in("units a second", "每秒单元数"), number(train.get("units_per_second")), count_text),
        (say_in("steps a second", "每秒步数"), _pace(run), lambda v: f"{v:.3g}"),
        (say_in("memory", "内存"), number(train.get("rss_mb")), lambda v: bytes_text(v * 2**20)),
        (say_in("time so far", "已用时"), run.seconds, seconds_text),
        (say_in("time left", "剩余"), time_left(run), seconds_text),
    )
    return rows + [(name, text(value)) for name, value, text in found if value is not None]


def _pace(run: RunFacts) -> float | None:
    return run.steps / run.seconds if run.steps and run.seconds else None


def time_left(run: RunFacts) -> float | None:
    """Seconds for the steps that are left at the mean pace so far, as the progress line has it; None where the plan is not known."""
    pace = _pace(run)
    return None if pace is None or run.planned is None or run.steps is None else max(0.0, run.planned - run.steps) / pace
