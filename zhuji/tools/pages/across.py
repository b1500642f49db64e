"""Many runs on one page: the rows of the table and the pictures of each group, as the report over a folder and the studio show them."""

from __future__ import annotations

import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from zhuji.core.log import in_language as say_in
from zhuji.core.quantity import bytes_text, count_text, seconds_text
from zhuji.data.words import told
from zhuji.tools.pages import charts
from zhuji.tools.pages.groups import Group, front, grouped, logged_metric, shown
from zhuji.tools.pages.page import better, score
from zhuji.tools.pages.runs import BEGINNING, BROKEN, DONE, RUNNING, STOPPED, RunFacts, Score
from zhuji.tools.pages.trail import loss_of

OVER = ("step", "epoch", "seconds")
"""What curves are drawn over; a reader chooses."""
MOST_COMPARED = 40
"""Runs of one group whose names stand in the picture of scores: the best."""


@dataclass(frozen=True)
class Cell:
    """A cell of the table; `sort`: what its column is ordered by, None last."""

    key: str
    text: str
    sort: float | str | None
    small: str = ""


@dataclass(frozen=True)
class Drawn:
    """A picture with what is written above and below it."""

    title: str
    svg: Markup
    note: str = ""


@dataclass(frozen=True)
class Numbered:
    """A run with its number on the page."""

    number: int
    run: RunFacts

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def label(self) -> str:
        """What stands in its marks: the number that its folder begins with, else that on the page."""
        found = re.match(r"0*(\d{1,3})-", self.run.folder.name)
        return found[1] if found else str(self.number + 1)


Priceable = tuple[Numbered, float | None, Score | None, str]
"""A run, a cost of it, its score, and the format that it was priced in."""


def across(runs: Sequence[RunFacts], base: str = "") -> dict[str, Any]:
    """What the templates show: `groups` of comparable runs, those `apart` that cannot be compared, `columns` of the table, and what can be filtered by.

    `base` stands before the address of a run's own report, which is relative to the folder of runs.
    """
    numbers = {run.folder: number for number, run in enumerate(runs)}
    groups = [_group(group, numbers, base) for group in grouped(runs)]
    known = {cell.key for group in groups for row in group["rows"] for cell in row["cells"] if cell.sort is not None}
    return {
        "groups": groups, "columns": [column for column in _columns() if column[0] in known], "known": known,
        "apart": [{"name": run.name, "told": run.problem or state_text(run)} for run in runs if not run.setting.data],
        "tasks": sorted({group["task"] for group in groups}), "data": sorted({group["data"] for group in groups}),
        "count": len(runs), "verdict": _verdict(runs, groups), "has_energy": "energy" in known, "has_latency": "latency" in known,
    }  # fmt: skip


def _verdict(runs: Sequence[RunFacts], groups: Sequence[dict[str, Any]]) -> str:
    states = [run.state for run in runs]
    counts = [(DONE, say_in("finished", "个已完成")), (RUNNING, say_in("running", "个进行中")), (BEGINNING, say_in("beginning", "个正在开始")),
              (STOPPED, say_in("stopped", "个已停止")), (BROKEN, say_in("unreadable", "个无法读取"))]  # fmt: skip
    listed = say_in(", ", "，").join(f"{states.count(key)} {word}" for key, word in counts if key in states)
    one = len(runs) == 1
    head = say_in(f"{len(runs)} run{'' if one else 's'}: {listed}", f"{len(runs)} 个运行：{listed}")
    if len(groups) < 2:
        return head + say_in(".", "。")
    return head + say_in(
        f", on {len(groups)} sets of test rows; only runs on the same rows are ranked.",
        f"，分属 {len(groups)} 组测试行；仅在同组之内排名。",
    )


def _columns() -> list[tuple[str, str]]:
    return [
        ("score", say_in("score", "得分")), ("model", say_in("model", "模型")), ("parameters", say_in("parameters", "参数量")), ("steps", say_in("steps", "步数")),
        ("time", say_in("time", "用时")), ("energy", say_in("energy", "能耗")), ("size", say_in("bundle", "模型大小")),
        ("latency", say_in("p50 latency", "p50 延迟")),
    ]  # fmt: skip


def _group(group: Group, numbers: dict[Any, int], base: str) -> dict[str, Any]:
    runs = [Numbered(numbers[run.folder], run) for run in group.runs]
    tie = group.tie
    return {
        "data": group.data or "–", "task": group.task or "–", "metric": group.metric or "–", "test_rows": group.rows,
        "verdict": group.verdict, "rows": [_row(numbered, group, base) for numbered in runs], "pictures": _scores(group, runs),
        "curves": _curves(group, runs), "pareto": _pareto(group, runs), "lower": better(group.metric) < 0,
        "tie": tuple(run.name for run in tie) if tie else (), "key": f"g{runs[0].number}",
    }  # fmt: skip


def _row(numbered: Numbered, group: Group, base: str) -> dict[str, Any]:
    run = numbered.run
    model = run.recipe or run.backbone or "–"
    return {
        "number": numbered.number, "label": numbered.label, "name": numbered.name, "href": f"{base}{quote(os.fsencode(run.folder.name))}/report.html" if run.report else "", "state": run.state,
        "model": model, "told": state_text(run), "cells": _cells(run, model, group),
        "words": " ".join([numbered.name, model, run.backbone, group.data, group.task, run.state]).lower(), "hue": numbered.number % charts.COLOURS,
        "drawn": bool(run.trail.lines),
    }  # fmt: skip


def state_text(run: RunFacts) -> str:
    """What there is to say of a run that is not finished; of a finished one, what makes one doubt it."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.since))
    bad = say_in(f"{run.bad_steps:,.0f} bad steps", f"{run.bad_steps:,.0f} 个坏步") if run.bad_steps else ""
    match run.state:
        case "stopped":
            found = say_in(f"stopped: no sign of life since {when}", f"已停止：自 {when} 起没有动静")
        case "running":
            found = say_in("running", "进行中")
        case "beginning":
            found = say_in("beginning: no step yet", "正在开始：尚无任何一步")
        case _:
            found = "" if run.setting.data else say_in("on what it was tested is not recorded", "没有记录它在什么数据上测试")
    return say_in("; ", "；").join(part for part in (found, bad) if part)


def _cells(run: RunFacts, model: str, group: Group) -> list[Cell]:
    own, priced = (
        run.scores.get(group.metric),
        min((p for p in run.priced if p.p50 is not None), key=lambda p: p.p50 or 0, default=None),
    )
    of = f"/ {run.planned:,.0f}" if run.planned and run.steps is not None and run.planned != run.steps else ""
    kept = say_in(f"kept {run.kept:,.0f}", f"保留 {run.kept:,.0f}") if run.kept and run.kept != run.steps else ""
    interval = shown(own).partition(" ")[2] if own else ""
    return [
        Cell("score", score(own.value) if own else "–", None if own is None else better(group.metric) * own.value, interval),
        Cell("model", model, model, run.backbone if run.backbone != model else ""),
        _cell("parameters", run.parameters, count_text),
        _cell("steps", run.steps, lambda v: f"{v:,.0f}", " ".join(part for part in (of, kept) if part)),
        _cell("time", run.seconds, seconds_text),
        _cell("energy", run.joules, lambda v: f"{count_text(v)} J", told(run.joules_from) if run.joules_from else ""),
        _cell("size", run.bundle_bytes, bytes_text),
        _cell("latency", priced.p50 if priced else None, lambda v: f"{v:.3g} ms", priced.format if priced else ""),
    ]  # fmt: skip


def _cell(key: str, value: float | None, text: Callable[[float], str], small: str = "") -> Cell:
    return Cell(key, "–" if value is None else text(value), value, "" if value is None else small)


def _scores(group: Group, runs: Sequence[Numbered]) -> list[Drawn]:
    numbers = {numbered.run.folder: numbered for numbered in runs}
    scored = group.scored[:MOST_COMPARED]
    if not scored:
        return []
    bars = [charts.Bar(numbers[run.folder].number, numbers[run.folder].name, of.value, of.low, of.high) for run, of in scored]
    note = say_in("Lines are 95 % intervals.", "横线为 95 % 区间。")
    if (rival := group.baseline) is not None:
        bars.append(
            charts.Bar(None, say_in("best baseline: ", "最好的基线：") + rival[0], rival[1].value, rival[1].low, rival[1].high)
        )
    if len(group.scored) > len(scored):
        note += say_in(
            f" The best {len(scored)} of {len(group.scored)}.", f"仅画出 {len(group.scored)} 个中最好的 {len(scored)} 个。"
        )
    title = say_in(f"{group.metric} on the same {group.rows:,} test rows", f"同样 {group.rows:,} 行测试数据上的 {group.metric}")
    if not group.rows:
        title = say_in(f"{group.metric} on what was held out", f"留出数据上的 {group.metric}")
    alt = f"{title}: " + "; ".join(f"{bar.name} {bar.value:.3f}" for bar in bars)
    return [Drawn(title, Markup(charts.intervals(alt, bars, group.metric)), note)]  # noqa: S704 - drawn by us, texts escaped


def axis_title(over: str) -> str:
    """What stands below curves over steps, epochs or seconds."""
    return {"step": say_in("step", "步"), "epoch": say_in("epoch", "轮"), "seconds": say_in("training time", "训练用时")}[over]


def curves(title: str, lines: Sequence[charts.Curve], over: str) -> Drawn | None:
    """A picture of lines; its note tells of what cannot be drawn. None where there is nothing to draw."""
    svg = charts.lines(title, lines, axis_title(over), "time" if over == "seconds" else "number")
    if svg is None:
        return None
    values = [point for line in lines for point in line.points]
    notes = [say_in("Logarithmic axis.", "对数坐标。")] if charts.is_log(values) else []
    if not all(math.isfinite(y) for _, y in values):
        notes.append(say_in("Gaps: values that are not finite.", "空隙：非有限值。"))
    return Drawn(title, Markup(svg), say_in(" ", "").join(notes))  # noqa: S704 - drawn by us, texts escaped


def run_curves(runs: Sequence[Numbered], metric: str, over: str) -> list[Drawn]:
    """Loss in training and validation, that of each player where several learn, and the validation metric."""

    def of(kind: str, key: str, dots: bool) -> list[charts.Curve]:
        found = []
        for numbered in runs:
            trail = numbered.run.trail
            points, kept = trail.drawn(kind, key, over), trail.validated(numbered.run.kept, over) if dots else None
            found += [charts.Curve(numbered.number, numbered.name, points, dots, kept)] if points else []
        return found

    drawn = [curves(say_in("Loss", "损失"), [*of("train", "loss", False), *of("valid", "loss", True)], over)]
    for player in dict.fromkeys(player for numbered in runs for player in numbered.run.trail.players):
        drawn.append(curves(say_in(f"Loss: {player[:40]}", f"损失：{player[:40]}"), of("train", loss_of(player), False), over))
    if metric and metric != "loss":
        drawn.append(curves(say_in(f"Validation {metric}", f"验证集 {metric}"), of("valid", metric, True), over))
    return [picture for picture in drawn if picture is not None]


def _curves(group: Group, runs: Sequence[Numbered]) -> list[tuple[str, str, list[Drawn]]]:
    metric = logged_metric(group.runs, group.metric)
    found = [(over, axis_title(over), run_curves(runs, metric, over)) for over in OVER]
    return [part for part in found if part[2]]


def _pareto(group: Group, runs: Sequence[Numbered]) -> list[Drawn]:
    """Score against latency where at least two runs were priced; else against what a run costs: parameters and time."""
    machine = Counter(n.run.machine for n in runs if n.run.priced).most_common(1)
    priced = [
        (n, of.p50, of.score or n.run.scores.get(group.metric), of.format)
        for n in runs if machine and n.run.machine == machine[0][0] for of in n.run.priced if of.p50
    ]  # fmt: skip
    if len({n.number for n, *_ in priced}) > 1:
        others = sum(bool(n.run.priced) and n.run.machine != machine[0][0] for n in runs)
        notes = say_in(f" Priced on: {machine[0][0]}.", f"测于：{machine[0][0]}。") if machine[0][0] else ""
        notes += (
            say_in(f" {others} priced on another machine are left out.", f"另有 {others} 个测于其他机器，未画出。")
            if others
            else ""
        )
        return _front(group, (say_in("latency", "延迟"), say_in("p50 latency, ms", "p50 延迟（毫秒）")), priced, notes)
    costs: list[tuple[str, str, list[Priceable]]] = [
        (say_in("parameters", "参数量"), say_in("parameters", "参数量"), [(n, n.run.parameters, n.run.scores.get(group.metric), "") for n in runs]),
        (say_in("training time", "训练用时"), say_in("training time, seconds", "训练用时（秒）"), [(n, n.run.seconds, n.run.scores.get(group.metric), "") for n in runs]),
    ]  # fmt: skip
    return [drawn for title, label, points in costs for drawn in _front(group, (title, label), points)]


def _front(group: Group, titles: tuple[str, str], points: Sequence[Priceable], notes: str = "") -> list[Drawn]:
    """`titles`: of the cost in the heading and on the axis."""
    known = [(n, x, of, form) for n, x, of, form in points if x and x > 0 and of is not None]
    if len(known) < 2:
        return []
    best = set(front([(x, of.value) for _, x, of, _ in known], better(group.metric)))
    marks = [
        charts.Mark(n.number, n.label, f"{n.name}{f' · {form}' if form else ''}: {of.value:.3f}, {x:.4g}", x, of.value, of.low, of.high, i in best)
        for i, (n, x, of, form) in enumerate(known)
    ]  # fmt: skip
    names = [f"{known[i][0].name}{f' ({known[i][3]})' if known[i][3] else ''}" for i in sorted(best)]
    title = say_in(f"{group.metric} against {titles[0]}", f"{group.metric} 与{titles[0]}")
    note = say_in("Nobody beats on both: ", "两方面均无人能及：") + say_in(", ", "，").join(names) + say_in(".", "。")
    return [Drawn(title, Markup(charts.scatter(f"{title}. {note}", marks, titles[1])), note + notes)]  # noqa: S704 - drawn by us, texts escaped
