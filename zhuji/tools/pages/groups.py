"""Runs side by side: which may stand beside each other, who leads and how surely, and whom nobody beats on two measures at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zhuji.core.log import in_language as say_in
from zhuji.tools.pages.found import shown_name
from zhuji.tools.pages.page import better, interval, score
from zhuji.tools.pages.runs import DONE, RunFacts, Score


@dataclass(frozen=True)
class Group:
    """Runs judged on the same rows of the same data by the same metric, the best first; runs without a score behind them."""

    data: str
    task: str
    metric: str
    rows: int
    runs: tuple[RunFacts, ...]

    @property
    def scored(self) -> list[tuple[RunFacts, Score]]:
        return [(run, run.scores[self.metric]) for run in self.runs if self.metric in run.scores]

    @property
    def baseline(self) -> tuple[str, Score] | None:
        """The best simple baseline on these rows, by its name for a person."""
        found = {name: of[self.metric] for run in self.runs for name, of in run.baselines.items() if self.metric in of}
        if not found:
            return None
        name = max(found, key=lambda name: better(self.metric) * found[name].value)
        return shown_name(name), found[name]

    @property
    def verdict(self) -> str:
        """One sentence: who leads, and whether chance may explain it."""
        scored = self.scored
        if not scored:
            return say_in("No run on this data has a test score yet.", "这份数据上还没有运行得到测试得分。")
        run, own = scored[0]
        head = say_in("{} leads: {} {}", "{} 领先：{} {}").format(run.name, self.metric, shown(own))
        return head + self._against_runs(own, scored[1:]) + self._against_baseline(own)

    def _against_runs(self, own: Score, others: Sequence[tuple[RunFacts, Score]]) -> str:
        if not others:
            return say_in("; no other run was tested on these rows.", "；没有其他运行在同样的行上测试。")
        rivals = [other for other, theirs in others if not apart(own, theirs)]
        if not rivals:
            return say_in(", its interval apart from those of all other runs.", "，其区间与其他运行均不相交。")
        names = ", ".join(rival.name for rival in rivals[:3]) + (" …" if len(rivals) > 3 else "")
        return say_in(
            f"; its interval meets that of {names}, so that alone proves nothing.",
            f"；其区间与 {names} 相交，仅凭此尚不能下结论。",
        )

    def _against_baseline(self, own: Score) -> str:
        if self.baseline is None:
            return ""
        name, best = self.baseline
        if not apart(own, best):
            told = say_in("it is not proven better than", "尚不能证明它优于")
        elif better(self.metric) * (own.value - best.value) > 0:
            told = say_in("it beats", "它优于")
        else:
            told = say_in("it is worse than", "它不如")
        return say_in(
            f" {told[0].upper()}{told[1:]} the best baseline, {name}, with {shown(best)}.",
            f"与基线相比：{told}其中最好的 {name}：{shown(best)}。",
        )

    @property
    def tie(self) -> tuple[RunFacts, RunFacts] | None:
        """The first two, where their intervals meet: `zhuji compare` settles it row by row."""
        scored = self.scored
        if len(scored) < 2 or apart(scored[0][1], scored[1][1]):
            return None
        return scored[0][0], scored[1][0]


def shown(of: Score) -> str:
    """`0.803 [0.782, 0.821]`"""
    return f"{score(of.value)} {interval({'low': of.low, 'high': of.high})}".strip()


def apart(a: Score, b: Score) -> bool:
    """Do the intervals not meet? Without intervals nobody knows, so no."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return False
    return a.low > b.high or b.low > a.high


def grouped(runs: Sequence[RunFacts]) -> list[Group]:
    """Groups of comparable runs, the one with most runs first; in none are unreadable runs, and those whose data nobody knows yet."""
    alike: dict[object, list[RunFacts]] = {}
    for run in runs:
        if run.setting.data:
            alike.setdefault(run.setting, []).append(run)
    groups = [_group(members) for members in alike.values()]
    return sorted(groups, key=lambda group: (-len(group.runs), group.data, group.task))


def _group(members: Sequence[RunFacts]) -> Group:
    """The metric is that of most finished runs; a run that had another first still knows its score by this one."""
    metrics = [run.metric for run in members if run.state == DONE and run.metric] or [run.metric for run in members]
    metric = Counter(metrics).most_common(1)[0][0]
    sign = better(metric)

    def place(run: RunFacts) -> tuple[bool, float, str]:
        own = run.scores.get(metric)
        return own is None, 0.0 if own is None else -sign * own.value, run.name

    ordered = tuple(sorted(members, key=place))
    return Group(ordered[0].data, ordered[0].setting.task, metric, max(run.test_rows for run in ordered), ordered)


def front(points: Sequence[tuple[float, float]], sign: int = 1) -> list[int]:
    """Numbers of the points `(cost, score)` that no other beats: none is as cheap and better, or as good and cheaper (Pareto).

    `sign`: 1 where a higher score is better, -1 where a lower one is. In order of cost.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1]))
    kept: list[int] = []
    for i in order:
        if not kept or sign * points[i][1] > sign * points[kept[-1]][1] or points[i] == points[kept[-1]]:
            kept.append(i)
    return kept


_NO_METRIC = frozenset({"kind", "step", "epoch", "seconds", "loss"})


def logged_metric(runs: Sequence[RunFacts], wanted: str) -> str:
    """The metric that validation curves show: the wanted one where it was logged, else the one that most runs logged first."""
    logged = [[name for name in run.trail.last("valid") if name not in _NO_METRIC] for run in runs]
    if any(wanted in names for names in logged):
        return wanted
    first = Counter(names[0] for names in logged if names).most_common(1)
    return first[0][0] if first else ""
