"""What the page of a pretraining shows: held-out scores, curves, speed, the watch on collapse, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from zhuji.core.log import in_language as say_in
from zhuji.core.quantity import bytes_text, count_text, seconds_text
from zhuji.data.words import told
from zhuji.tools.pages import pictures
from zhuji.tools.pages.drawing import ACCENT, MUTED, SECOND, Picture
from zhuji.tools.pages.found import Found, ledger_by_split
from zhuji.tools.pages.page import interval, score
from zhuji.tools.pages.pictures import Line, Panel

Rows = list[tuple[str, str]]
WATCHED = ("effective_rank", "spread", "uniformity", "alignment")
"""Metrics that tell whether embeddings collapse."""


def is_foundation(found: Found) -> bool:
    """Is it the folder of a pretraining?"""
    return found.results.get("kind") == "pretrain"


def foundation_pictures(found: Found) -> dict[str, Picture]:
    """The pictures of its page, by name; what the run has no numbers for is left out."""
    drawn = {"curves": _curves(found), "speed": _speed(found), "collapse": _collapse(found)}
    return {name: picture for name, picture in drawn.items() if picture}


def foundation_facts(found: Found) -> dict[str, Any]:
    """The tables and sentences of its page."""
    results = found.results
    valid = results.get("valid") or {}
    return {
        "title": found.folder.name, "verdict": foundation_verdict(found), "facts": _header(found), "valid": valid,
        "tiles": list(valid.items())[:4], "bad_steps": results.get("bad_steps", 0), "warnings": results.get("warnings") or [],
        "watched": any(name in valid for name in WATCHED), "cost": _cost(found), "sources": _sources(found),
        "ledger": {**ledger_by_split(found.ledger), "table": _ledger(found)},
    }  # fmt: skip


def foundation_verdict(found: Found) -> str:
    """One sentence: how well held-out documents are foreseen, after how much."""
    results = found.results
    units = count_text(results.get("units") or 0)
    metric, of = next(iter((results.get("valid") or {}).items()), ("", {}))
    if not metric:
        return say_in(f"{units} units learned; no document was held out.", f"已学 {units} 个单元；没有留出文档。")
    value = f"{score(of.get('value'))} {interval(dict(of))}".strip()
    return say_in(
        f"{metric} {value} on held-out documents, after {units} units.",
        f"学习 {units} 个单元后，留出文档上的 {metric} 为 {value}。",
    )


def _header(found: Found) -> Rows:
    results, run = found.results, found.run
    model = results.get("model") or {}
    rows = [
        (say_in("corpus", "语料"), ", ".join(Path(str(source["path"])).name for source in _given(found)) or "–"),
        (say_in("objective", "目标"), str(model.get("task", "–"))),
        (say_in("backbone", "骨干"), str(model.get("backbone", "–"))),
        (say_in("parameters", "参数量"), count_text(model.get("parameters") or 0)),
        (say_in("steps", "步数"), _steps(results)),
        (say_in("time", "用时"), seconds_text(results.get("seconds") or 0)),
        (say_in("peak memory", "内存峰值"), bytes_text((results.get("peak_rss_mb") or 0) * 2**20)),
        (say_in("seed", "种子"), str(run.get("seed", 0))),
    ]
    if run.get("recipe"):
        rows.insert(0, (say_in("recipe", "配方"), str(run["recipe"])))
    return rows


def _steps(results: dict[str, Any]) -> str:
    steps, kept = results.get("steps") or 0, results.get("best_step")
    return f"{steps:,}" + (say_in(f" (kept {kept:,})", f"（保留 {kept:,}）") if kept else "")


def _given(found: Found) -> list[dict[str, Any]]:
    return list((found.run.get("corpus") or {}).get("sources") or [])


def _sources(found: Found) -> Rows:
    corpus = found.results.get("corpus") or {}
    size = say_in("{:,} documents, {} units", "{:,} 篇文档，{} 个单元")
    rows = [(say_in("training", "训练"), size.format(corpus.get("documents", 0), count_text(corpus.get("units", 0))))]
    for source in _given(found):
        weight = source.get("weight", 1.0)
        rows.append((say_in("source", "来源"), str(source["path"]) + (f" × {weight:g}" if weight != 1.0 else "")))
    excluded = [str(texts["path"]) for texts in (found.run.get("corpus") or {}).get("exclude") or []]
    return rows + [(say_in("without", "不含"), path) for path in excluded]


def _cost(found: Found) -> Rows:
    results = found.results
    cost, units, seconds = results.get("cost") or {}, results.get("units") or 0, results.get("seconds") or 0
    rows = [(say_in("units learned", "已学单元"), f"{units:,}")]
    if seconds:
        rows.append((say_in("units a second", "每秒单元数"), f"{units / seconds:,.0f}"))
    if used := [value for _, value in _points(found, "train", "mfu")]:
        rows.append((say_in("model FLOPs utilisation (median)", "模型算力利用率（中位数）"), f"{median(used):.1%}"))
    if results.get("waste") is not None:
        rows.append((say_in("padding", "填充占比"), f"{results['waste']:.1%}"))
    if cost:
        rows += [
            (say_in("processor time", "处理器时间"), f"{cost['cpu_hours']:.3g} " + say_in("CPU-hours", "CPU 小时")),
            (say_in("energy", "能耗"), f"{count_text(cost['joules'])} J ({told(cost['joules_from'])})"),
            (say_in("from start to end", "自始至终"), seconds_text(cost["seconds"])),
        ]
    return rows


def _ledger(found: Found) -> list[dict[str, Any]]:
    """The ledger's rows with the source of each."""
    table = ledger_by_split(found.ledger)["table"]
    return [{**row, "cause": row["cause"] if row["cause"] != told("(unknown)") else ""} for row in table]


def _points(found: Found, kind: str, key: str) -> list[tuple[float, float]]:
    return pictures.points(found.log, kind, key)


def _curves(found: Found) -> Picture | None:
    loss, held = _points(found, "train", "loss"), _points(found, "valid", "loss")
    if not loss:
        return None
    panels = [
        Panel(
            say_in("Loss", "损失"),
            (Line(say_in("training", "训练"), loss, ACCENT), Line(say_in("held-out", "留出"), held, SECOND, "o")),
        ),
    ]
    if (metric := _shown_metric(found, held)) is not None:
        panels.append(Panel(metric, (Line(metric, _points(found, "valid", metric), SECOND, "o"),)))
    panels.append(Panel(say_in("Learning rate", "学习率"), (Line("", _points(found, "train", "lr"), MUTED),)))
    return pictures.panels("curves", say_in("Training curves", "训练曲线"), panels, found.results.get("best_step"))


def _shown_metric(found: Found, held: Sequence[tuple[float, float]]) -> str | None:
    """The first held-out metric that is not the loss under another name, nor its exponential."""
    for name in found.results.get("valid") or {}:
        points = _points(found, "valid", name)
        same = [abs(a - b) < 1e-4 * max(1.0, abs(b)) for (_, a), (_, b) in zip(points, held, strict=False)]
        if points and name != "perplexity" and not all(same):
            return name
    return None


def _speed(found: Found) -> Picture | None:
    speed, used = _points(found, "train", "units_per_second"), _points(found, "train", "mfu")
    if not speed:
        return None
    panels = [Panel(say_in("Units a second", "每秒单元数"), (Line("", speed, ACCENT),), zero=True)]
    if used:
        panels.append(Panel(say_in("Model FLOPs utilisation", "模型算力利用率"), (Line("", used, ACCENT),), zero=True))
    return pictures.panels("speed", say_in("Speed", "速度"), panels)


def _collapse(found: Found) -> Picture | None:
    known = {name: points for name in WATCHED if (points := _points(found, "valid", name))}
    if not known:
        return None
    panels = [Panel(name, (Line(name, points, SECOND, "o"),)) for name, points in known.items()]
    return pictures.panels("collapse", say_in("Do the embeddings collapse?", "嵌入是否坍缩？"), panels)
