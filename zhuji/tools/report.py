"""`report.html`: everything a run shows for itself on one self-contained offline page, and its pictures as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core.config import Settings, assignments
from zhuji.core.files import write_text
from zhuji.core.log import in_language as say_in
from zhuji.core.quantity import bytes_text, count_text, seconds_text
from zhuji.tools.pages.commands import in_python, next_commands
from zhuji.tools.pages.drawing import Picture
from zhuji.tools.pages.folder_page import folder_facts, folder_page
from zhuji.tools.pages.found import (
    Found,
    Scores,
    classes,
    confusions,
    holds_numbers,
    ledger_by_split,
    marked,
    mistakes,
    models,
    read,
    samples,
    shown_name,
)  # fmt: skip
from zhuji.tools.pages.foundation import foundation_facts, foundation_pictures, is_foundation
from zhuji.tools.pages.gallery import gallery
from zhuji.tools.pages.page import better, interval, render, score
from zhuji.tools.pages.run_pictures import run_pictures
from zhuji.tools.pages.runs import is_run
from zhuji.tools.pages.spoken import spoken


class ReportSettings(Settings):
    """How much a report shows."""

    mistakes: int = 12
    """Worst mistakes shown."""
    classes: int = 30
    """Classes drawn in a confusion matrix; of more, those with most errors."""
    metrics: int = 5
    """Metrics in the table."""


@dataclass(frozen=True)
class Report:
    """Where the page and its pictures lie, and the sentence that the page opens with."""

    page: Path
    pictures: tuple[Path, ...]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        return {"report": str(self.page), "pictures": [str(p) for p in self.pictures], "verdict": self.verdict}


def write_report(folder: Path, *, seed: int = 0, sets: Sequence[str] = ()) -> Report:
    """Write `report.html` and `pictures/*.svg` into the run folder, in the language of ZHUJI_LANG.

    Of a folder that holds runs, one page compares them all; it needs no pictures beside it. `seed` breaks ties among mistakes of equal
    confidence. Raises `NotABundle` when the folder holds no finished run and no folder of a run.
    """
    settings = ReportSettings.parse(assignments(sets).get("report", {}), prefix="report")
    if not is_run(Path(folder)) and (across := folder_facts(Path(folder)))["count"]:
        write_text(page := Path(folder) / "report.html", folder_page(Path(folder), across))
        return Report(page, (), across["verdict"])
    found = read(Path(folder))
    if is_foundation(found):
        template, drawn = "foundation.html", foundation_pictures(found)
        facts = {**foundation_facts(found), "pictures": {name: drawn.get(name) for name in ("curves", "speed", "collapse")}}
    else:
        template, drawn = "report.html", run_pictures(found, settings.classes)
        facts = _facts(found, settings, drawn, seed)
    page = found.folder / "report.html"
    write_text(page, render(template, **facts, **_use(found)))
    files = tuple(found.folder / "pictures" / f"{p.name}.svg" for p in drawn.values())
    for path, picture in zip(files, drawn.values(), strict=True):
        write_text(path, picture.file)
    return Report(page, files, facts["verdict"])


def _facts(found: Found, settings: ReportSettings, drawn: dict[str, Picture], seed: int) -> dict[str, Any]:
    test: Scores = found.results.get("test") or {}
    names = ("scores", "curves", "confusion", "confusion_normalised", "per_class", "reliability", "fit", "lengths")
    matrix = np.array(found.results.get("confusion") or [], dtype=np.int64)
    return {
        "title": found.folder.name, "verdict": verdict(found.results), "facts": _header(found), "test": test,
        "tiles": list(test.items())[:4], "metrics": list(test)[: settings.metrics], "models": models(found),
        "pictures": {name: drawn.get(name) for name in names}, "bad_steps": found.results.get("bad_steps", 0),
        "errors_known": bool(found.predictions), "classes": sorted(classes(found), key=lambda c: c["f1"]), **_rows(found, settings, seed),
        "many_classes": len(matrix) > 10, "notes": found.results.get("notes") or {}, "more": _more(found), "choice": _choice(found),
        "confusions": confusions(matrix, found.labels) if len(matrix) > 2 else [],
        "confusion_note": _confusion_note(len(matrix), settings.classes),
        "ledger": ledger_by_split(found.ledger), "leaks": _leaks(found),
    }  # fmt: skip


def _use(found: Found) -> dict[str, Any]:
    """What is done next, and the records that stand behind the page."""
    bundle = found.results.get("bundle", str(found.folder / "bundle"))
    return {
        "commands": next_commands(found.folder, found.results),
        "python": in_python(bundle, found.results),
        "records": _records(found),
        "hops": found.hops,
    }


def verdict(results: Mapping[str, Any]) -> str:
    """One sentence: what the model scores, and whether the best baseline is really beaten."""
    test: Scores = results.get("test") or {}
    metric = next(iter(test), None)
    if metric is None:
        return say_in("This run has no test score.", "该运行没有测试得分。")
    own = test[metric]
    sign = better(metric)
    rivals = {
        n: s[metric] for n, s in (results.get("baselines") or {}).items() if metric in s and s[metric].get("value") is not None
    }
    head = say_in("{} {} on the test split", "测试集 {} 为 {}").format(metric, _with_interval(own))
    if not rivals or own.get("value") is None:
        return head + say_in("; there is no baseline to hold it against.", "；没有可对照的基线。")
    name, best = max(rivals.items(), key=lambda item: sign * float(item[1]["value"] or 0))
    tail = say_in("the best baseline, {}, has {}", "最好的基线 {} 为 {}").format(shown_name(name), _with_interval(best))
    return say_in("{}; {}: {}", "{}；{}：{}").format(head, tail, _judged(own, best, sign))


def _with_interval(of: Mapping[str, float | None]) -> str:
    return f"{score(of.get('value'))} {interval(dict(of))}".strip()


def _judged(own: Mapping[str, float | None], best: Mapping[str, float | None], sign: int) -> str:
    ends = [x.get(k) for x in (own, best) for k in ("low", "high")]
    if any(end is None for end in ends):
        return say_in("without intervals nothing is proven.", "没有区间，无法下结论。")
    low, high, rival_low, rival_high = (float(e) for e in ends if e is not None)
    if sign < 0:
        low, high, rival_low, rival_high = -high, -low, -rival_high, -rival_low
    if low > rival_high:
        return say_in("the model earns its keep.", "模型物有所值。")
    if high < rival_low:
        return say_in("use the baseline instead.", "应改用该基线。")
    return say_in("the intervals overlap, so neither is proven better.", "两区间重叠，尚不能证明孰优。")


def _header(found: Found) -> list[tuple[str, str]]:
    data, model = found.run.get("data") or {}, found.results.get("model") or {}
    backbone = found.run.get("backbone") or {}
    rows = [
        (say_in("data", "数据"), Path(str(data.get("path", "–"))).name),
        (say_in("backbone", "骨干"), str(backbone.get("name", "–"))),
    ]
    if start := found.results.get("start"):
        rows.append((say_in("begun from", "起点"), f"{Path(str(start['path'])).name} ({start['mode']})"))
    if teacher := found.run.get("teacher"):
        rows.append((say_in("teacher", "教师"), Path(str(teacher["path"])).name))
    if model.get("parameters"):
        rows.append((say_in("parameters", "参数量"), count_text(model["parameters"])))
    if found.results.get("steps"):
        kept = found.results.get("best_step")
        rows.append(
            (
                say_in("steps", "步数"),
                f"{found.results['steps']:,}" + (say_in(f" (kept {kept:,})", f"（保留 {kept:,}）") if kept else ""),
            )
        )
    if found.results.get("seconds") is not None:
        rows.append((say_in("time", "用时"), seconds_text(found.results["seconds"])))
    if found.results.get("peak_rss_mb"):
        rows.append((say_in("peak memory", "内存峰值"), bytes_text(found.results["peak_rss_mb"] * 2**20)))
    rows.append((say_in("seed", "种子"), str(found.run.get("seed", 0))))
    return rows


def _rows(found: Found, settings: ReportSettings, seed: int) -> dict[str, Any]:
    """Test rows with their answers: the worst mistakes, or, of texts that were written, some drawn by chance."""
    task = (found.results.get("model") or {}).get("task")
    writes, seen = task == "translate", gallery(found)
    rows = samples(found, settings.mistakes, seed) if writes else mistakes(found, settings.mistakes, seed)
    rows = spoken(found, [] if found.boxed or seen else rows)
    sure, off = say_in("confidence", "置信度"), say_in("off by", "误差")
    titles = ("Samples", "样例") if writes else ("Worst mistakes", "最严重的错误")
    return {
        "mistakes": [marked(row) for row in rows] if found.results.get("kind") == "tag" else rows,
        "mistakes_title": say_in(*titles), "mistakes_note": _rows_note(found, writes),
        "mistakes_score": off if holds_numbers(found) else sure,
        "counted": say_in(*_COUNTED.get(str(found.results.get("kind")), ("test rows", "测试行数"))), "gallery": seen,
        "mistakes_label": say_in("reference", "参考译文") if writes else say_in("label", "标签"),
    }  # fmt: skip


_COUNTED = {"tag": ("test spans", "测试片段数"), "detect": ("test objects", "测试物体数")}
"""What is counted class by class, where it is not rows."""


def _rows_note(found: Found, writes: bool) -> str:
    total = len(found.predictions)
    if writes:
        return say_in(f"Drawn by chance from {total:,} test rows.", f"从 {total:,} 个测试行中随机抽取。")
    if holds_numbers(found):
        return say_in("The rows that are furthest off.", "误差最大的行。")
    wrong = sum(row["label"] != row["prediction"] for row in found.predictions)
    return say_in(
        f"{wrong:,} of {total:,} test rows are wrong; here are those answered with most confidence. Often the label is the mistake.",
        f"{total:,} 个测试行中有 {wrong:,} 个错误；以下为置信度最高者。有时错的是标签。",
    )


def _more(found: Found) -> list[tuple[str, list[tuple[str, Scores, bool]]]]:
    """Tables of scores beside the test split: of further test sets, and of each group, the model first and the baselines below it."""
    results = found.results
    tests = _beside(results.get("more_tests") or {}, results.get("more_baselines") or {})
    groups = _beside(results.get("by_group") or {}, results.get("group_baselines") or {})
    tables = [(say_in("Further test sets", "其他测试集"), tests), (say_in("By group (rows)", "按分组（行数）"), groups)]
    return [(title, rows) for title, rows in tables if rows]


def _beside(own: Mapping[str, Any], rivals: Mapping[str, Mapping[str, Scores]]) -> list[tuple[str, Scores, bool]]:
    """A row for the model on each set, marked, and one for each baseline on the same rows."""
    rows = list[tuple[str, Scores, bool]]()
    for name, scores in own.items():
        rows.append((f"{name} ({scores['rows']:,})" if "rows" in scores else name, scores, True))
        rows += [(f"{name}: {shown_name(rival)}", theirs, False) for rival, theirs in rivals.get(name, {}).items()]
    return rows


def _choice(found: Found) -> list[tuple[str, str]]:
    """What cross-validation chose, where labels were few."""
    return [(str(key), str(value)) for key, value in (found.results.get("choice") or {}).items()]


def _confusion_note(classes: int, limit: int) -> str:
    if classes <= limit:
        return ""
    return say_in(
        f"{limit} of {classes} classes are drawn: those with most errors.",
        f"共 {classes} 个类别，仅画出错误最多的 {limit} 个。",
    )


def _leaks(found: Found) -> dict[str, Any]:
    kinds = {k: v for k, v in (found.leaks.get("found") or {}).items() if v}
    how = (found.run.get("data") or {}).get("leaks", "move")
    if not kinds:
        sentence = say_in("None found: no row stands in two splits.", "未发现：没有数据同时出现在两个划分中。")
    elif how == "move":
        sentence = say_in("Found, and moved into one split before training.", "已发现，并在训练前移入同一划分。")
    else:
        sentence = say_in(
            "Found, and kept on request: the score below without them is the honest one.",
            "已发现，按要求保留：应以下方去掉泄漏行的得分为准。",
        )
    if kept := found.leaks.get("kept", 0) if how == "move" else 0:
        sentence += say_in(
            f" {kept:,} rows stay where they were given: their groups are so large that moving them would empty a split.",
            f"其中 {kept:,} 行保持原划分：所在分组过大，移动会使某个划分几乎为空。",
        )
    with_leaks, without = found.results.get("with_leaks") or {}, found.results.get("without_leaks") or {}
    return {"found": kinds, "sentence": sentence, "with": with_leaks, "without": without}


def _records(found: Found) -> list[tuple[str, str]]:
    titles = {
        "run.yaml": say_in("Configuration", "配置"), "environment.json": say_in("Environment", "环境"),
        "fingerprint.json": say_in("Data fingerprint", "数据指纹"),
    }  # fmt: skip
    return [
        (f"{title} ({name})", (found.folder / name).read_text(encoding="utf-8"))
        for name, title in titles.items()
        if (found.folder / name).is_file()
    ]
