"""Is this data fit to train on? Everything that training would meet, before it, with a verdict and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from zhuji.core.config import Settings, assignments, overlay
from zhuji.core.files import write_text
from zhuji.core.log import in_language as say_in
from zhuji.core.records import SPLITS
from zhuji.data.leaks import cut_through, numbered
from zhuji.data.prepare import Prepared, prepare
from zhuji.data.settings import DataSettings
from zhuji.data.words import counted, told
from zhuji.tools._census import by_class, duplicates, languages, lengths, percentiles
from zhuji.tools._doubtful import doubtful_labels
from zhuji.tools.pages import pictures
from zhuji.tools.pages.drawing import Picture
from zhuji.tools.pages.found import ledger_by_split
from zhuji.tools.pages.page import render

SHOWN = 20


class CheckSettings(Settings):
    """How closely `check` looks."""

    sample: int = Field(default=4000, ge=0)
    """Rows in which doubtful labels are looked for; 0 turns the search off."""
    language_sample: int = Field(default=500, ge=0)
    smallest_class: int = Field(default=10, ge=0)
    """A class with fewer rows is warned of."""


@dataclass(frozen=True)
class Checkup:
    """What a check found. `failures` say why it did not pass; `lines` are the findings in short, as (name, text)."""

    data: str
    page: str
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        return {
            "data": self.data, "passed": self.passed, "failures": list(self.failures), "warnings": list(self.warnings),
            **self.facts, "lines": [list(line) for line in self.lines], "page": self.page,
        }  # fmt: skip


def check(
    data: str,
    *,
    page: str | Path | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
) -> Checkup:
    """Read, clean and split as training would, look for leaks, duplicates and doubtful labels, and write a page.

    It fails when too many rows are dropped, rows stand in two splits, a column gives the label away, or there is no label. Raises what
    `prepare` raises for data that cannot be used at all.
    """
    tree = assignments(sets)
    settings = DataSettings.parse(overlay({"path": data, **(columns or {})}, tree.get("data", {})), "data")
    options = CheckSettings.parse(tree.get("check", {}), "check")
    prepared = prepare(settings.model_copy(update={"leaks": "allow", "max_dropped": 1.0}), seed, task="any")
    facts = _facts(prepared, settings, options, seed)
    failures, warned = _failures(prepared, settings), _warnings(facts, options)
    lines = _lines(prepared, facts)
    path = Path(page) if page is not None else Path(f"check-{Path(data).name.split('.')[0] or 'data'}.html")
    found = Checkup(data, str(path), tuple(failures), tuple(warned), tuple(lines), facts)
    write_text(path, render("check.html", **_page(found, prepared)))
    return found


def _facts(prepared: Prepared, settings: DataSettings, options: CheckSettings, seed: int) -> dict[str, Any]:
    records = [r for r in prepared.records if "+" not in r.id or r.row]
    doubtful, looked = doubtful_labels(records, sample=options.sample, seed=seed) if options.sample else ([], 0)
    present = [s for s in SPLITS if any(r.split == s for r in records)]
    leaks = prepared.leaks.as_dict()
    return {
        "rows": len(records), "splits": {s: sum(r.split == s for r in records) for s in present}, "classes": by_class(records),
        "roles": asdict(prepared.roles), "source": prepared.source, "ledger": prepared.ledger.as_dict(),
        "lengths": {unit: percentiles(values) for unit, values in lengths(records).items()},
        "languages": languages(records, sample=options.language_sample, seed=seed) if options.language_sample else {},
        "duplicates": duplicates(records, near=settings.near, seed=seed),
        "leaks": {**leaks, "pairs": leaks["pairs"][:SHOWN], "conflicts": leaks["conflicts"][:SHOWN]},
        "doubtful": {"looked_at": looked, "found": len(doubtful), "rows": [asdict(d) for d in doubtful[:SHOWN]]},
    }  # fmt: skip


def _failures(prepared: Prepared, settings: DataSettings) -> list[str]:
    ledger, leaks = prepared.ledger, prepared.leaks
    found: list[str] = []
    dropped = ledger.total("dropped")
    if dropped > settings.max_dropped * ledger.read:
        causes = counted(dict(ledger.causes("dropped").most_common()))
        limit = f"{settings.max_dropped:.3g}"
        found.append(
            say_in(
                f"{dropped} of {ledger.read} rows are dropped ({causes}), more than {limit}",
                f"{ledger.read} 行中丢弃了 {dropped} 行（{causes}），超过 {limit}",
            )
        )
    if leaks.rows:
        found.append(_torn(prepared))
    for proxy in leaks.proxies:
        found.append(
            say_in(
                f"column '{proxy.column}' gives the label away (it alone scores {proxy.score:.3f})",
                f"列「{proxy.column}」泄露了标签（仅凭它即得 {proxy.score:.3f}）",
            )
        )
    if prepared.roles.kind == "unlabelled":
        found.append(say_in("no column looks like a label: pass --label NAME", "没有列像标签：请传入 --label 列名"))
    return found


def _torn(prepared: Prepared) -> str:
    """That rows stand in two splits, and what training would do with them."""
    leaks, column = prepared.leaks, prepared.roles.group
    kinds = counted(leaks.found)
    placed = [r for r in prepared.records if r.split in SPLITS]
    own = np.array([SPLITS.index(str(r.split)) for r in placed])
    if leaks.found["group"] and cut_through(numbered([r.group for r in placed]), own):
        return say_in(
            f"{leaks.rows} rows stand in two splits ({kinds}); training leaves groups of column '{column}' where they are, because moving them would "
            "empty a split: train with --leaks allow where they are meant to be on both sides, or with --set data.splits.hold_out=[NAME] to hold one out",
            f"{leaks.rows} 行同时出现在两个划分中（{kinds}）；列「{column}」的分组若移动会使某个划分变空，训练时保持原处：若本就应分布在两侧，训练时请传入 --leaks allow；"
            "若要留出其中一组，请传入 --set data.splits.hold_out=[名称]",
        )
    return say_in(
        f"{leaks.rows} rows stand in two splits ({kinds}); training moves them unless told otherwise",
        f"{leaks.rows} 行同时出现在两个划分中（{kinds}）；除非另有要求，训练时会移动它们",
    )


def _warnings(facts: Mapping[str, Any], options: CheckSettings) -> list[str]:
    found: list[str] = []
    sizes = {name: sum(counts.values()) for name, counts in facts["classes"].items()}
    small = [name for name, size in sizes.items() if size < options.smallest_class]
    if small:
        names = ", ".join(small[:5])
        found.append(
            say_in(
                f"{len(small)} classes have fewer than {options.smallest_class} rows: {names}",
                f"{len(small)} 个类别少于 {options.smallest_class} 行：{names}",
            )
        )
    conflicts = facts["leaks"]["conflicts_total"]
    if conflicts:
        found.append(
            say_in(
                f"{conflicts} rows are copies of others but bear another label", f"{conflicts} 行与其他行几乎相同，标签却不同"
            )
        )
    if facts["doubtful"]["found"]:
        share = facts["doubtful"]["found"] / facts["doubtful"]["looked_at"]
        found.append(
            say_in(
                f"{facts['doubtful']['found']} of {facts['doubtful']['looked_at']} labels looked at are doubtful ({share:.1%})",
                f"查看的 {facts['doubtful']['looked_at']} 个标签中有 {facts['doubtful']['found']} 个可疑（{share:.1%}）",
            )
        )
    return found


_ROLES = {"text": "文本", "image": "图片", "label": "标签", "group": "分组", "time": "时间", "id": "编号", "split": "划分"}


def _lines(prepared: Prepared, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    roles, source = prepared.roles, prepared.source
    file = " · ".join(
        filter(None, [told(source["format"]), source["encoding"], repr(source["delimiter"]) if source["delimiter"] else ""])
    )
    lines = [(say_in("file", "文件"), f"{file} ({'; '.join(f'{told(k)}: {v}' for k, v in source['why'].items())})")]
    for role, chinese in _ROLES.items():
        column = getattr(roles, role)
        if column:
            name = column if isinstance(column, str) else ", ".join(column)
            lines.append((say_in(role, chinese), f"{name} — {roles.reasons.get(role, say_in('given', '指定'))}"))
    ledger = facts["ledger"]
    causes = counted(ledger["causes"]["dropped"]) or "–"
    lines.append(
        (
            say_in("rows", "行"),
            say_in(
                f"read {ledger['read']:,} = kept {facts['rows']:,} + dropped {ledger['dropped']:,} ({causes})",
                f"读取 {ledger['read']:,} = 保留 {facts['rows']:,} + 丢弃 {ledger['dropped']:,}（{causes}）",
            ),
        )
    )
    if roles.files is None:
        size = facts["lengths"]["characters"]
        lines.append(
            (
                say_in("length", "长度"),
                say_in(
                    f"median {size['p50']:,} characters, 95 % below {size['p95']:,}, longest {size['p100']:,}",
                    f"中位数 {size['p50']:,} 字符，95 % 低于 {size['p95']:,}，最长 {size['p100']:,}",
                ),
            )
        )
    elif changes := counted(ledger["changes"]):
        lines.append((say_in("changes", "改动"), changes))
    if facts["languages"]:
        lines.append(
            (
                say_in("language", "语言"),
                ", ".join(f"{name} {share:.0%}" for name, share in facts["languages"].items() if share >= 0.005),
            )
        )
    copies = facts["duplicates"]
    lines.append(
        (
            say_in("copies", "重复"),
            say_in(
                f"{copies['exact']:,} exact, {copies['near']:,} near", f"完全相同 {copies['exact']:,}，近似 {copies['near']:,}"
            ),
        )
    )
    kinds = counted(facts["leaks"]["found"]) or say_in("none", "无")
    lines.append((say_in("leaks", "泄漏"), kinds))
    return lines


def _page(found: Checkup, prepared: Prepared) -> dict[str, Any]:
    drawn: list[Picture] = []
    sizes = {name: float(sum(counts.values())) for name, counts in found.facts["classes"].items()}
    if sizes:
        drawn.append(pictures.class_bars("classes", say_in("Rows by class", "各类别行数"), sizes, say_in("rows", "行")))
    measured = lengths(prepared.records)["characters"]
    if measured:
        drawn.append(pictures.lengths({s: measured[s] for s in SPLITS if s in measured}, say_in("characters", "字符")))
    kept = found.facts["ledger"]
    return {
        "title": Path(found.data).name, "found": found, "facts": found.facts, "pictures": drawn,
        "ledger": ledger_by_split({**kept, "used": found.facts["rows"], "balanced": kept["read"] == found.facts["rows"] + kept["dropped"]}),
    }  # fmt: skip
