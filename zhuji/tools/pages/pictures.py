"""The pictures of a report and of a data check, each drawn from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zhuji.core.log import in_language as say_in
from zhuji.tools.pages.drawing import ACCENT, INK, MUTED, SECOND, SERIES, Picture, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, HALF = 12.4, 6.1
"""Widths in inches of 72 points: the page's column and half of it."""


@dataclass(frozen=True)
class Dot:
    """A score with the ends of its interval; `chosen` is drawn in the accent colour."""

    name: str
    value: float
    low: float | None
    high: float | None
    chosen: bool = False


def short(text: str, limit: int = 24) -> str:
    """A name as an axis shows it: on one line, cut."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def scores(metric: str, dots: Sequence[Dot]) -> Picture:
    """Models from top to bottom: a dot for the score, a line for its 95 % interval."""

    def paint(ax: Axes) -> None:
        for i, dot in enumerate(reversed(dots)):
            colour = ACCENT if dot.chosen else MUTED
            if dot.low is not None and dot.high is not None:
                ax.plot([dot.low, dot.high], [i, i], color=colour, linewidth=3 if dot.chosen else 2, solid_capstyle="round")
            ax.plot([dot.value], [i], "o", color=colour, markersize=9 if dot.chosen else 7)
            ax.annotate(
                f"{dot.value:.3f}", (dot.value, i), (0, 9), textcoords="offset points", ha="center", color=colour, fontsize=9.5
            )
        ax.set_yticks(range(len(dots)), [short(d.name, 28) for d in reversed(dots)], color=INK, fontsize=10)
        ax.set_ylim(-0.6, len(dots) - 0.3)
        ax.margins(x=0.08)
        ax.grid(axis="y", visible=False)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(metric)

    title = say_in(f"{metric} on the test split", f"测试集 {metric}")
    alt = (
        title
        + ": "
        + "; ".join(
            f"{d.name} {d.value:.3f}" + (f" [{d.low:.3f}, {d.high:.3f}]" if d.low is not None and d.high is not None else "")
            for d in dots
        )
    )
    return draw("scores", title, alt, (WIDE, 0.62 * len(dots) + 0.75), paint)


@dataclass(frozen=True)
class Curves:
    """What a run logged: `(step, value)` pairs; `loss`: in training, by whose it is; `best` is the step that was kept."""

    loss: Mapping[str, Sequence[tuple[float, float]]]
    valid_loss: Sequence[tuple[float, float]]
    metric: str
    valid_metric: Sequence[tuple[float, float]]
    rate: Sequence[tuple[float, float]]
    best: float | None


def curves(log: Curves) -> Picture:
    """Three panels: loss, validation metric, learning rate."""

    def line(ax: Axes, points: Sequence[tuple[float, float]], colour: str, label: str, marker: str = "") -> None:
        if points:
            ax.plot(*zip(*points, strict=True), color=colour, label=label, marker=marker, markersize=4)

    def paint(left: Axes, middle: Axes, right: Axes) -> None:
        for (name, points), colour in zip(log.loss.items(), SERIES, strict=False):
            line(left, points, colour, name)
        line(left, log.valid_loss, SECOND, say_in("validation", "验证"), "o")
        line(middle, log.valid_metric, SECOND, log.metric, "o")
        line(right, log.rate, MUTED, say_in("rate", "学习率"))
        titles = (
            say_in("Loss", "损失"),
            say_in(f"Validation {log.metric}", f"验证集 {log.metric}"),
            say_in("Learning rate", "学习率"),
        )
        for ax, title in zip((left, middle, right), titles, strict=True):
            ax.set_title(title)
            ax.set_xlabel(say_in("step", "步"))
            if log.best is not None and ax is not right:
                ax.axvline(log.best, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        right.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
        if len(drawn) > 1:
            left.legend()
        _from_zero(left)

    drawn = [points for points in (*log.loss.values(), log.valid_loss) if points]
    logged = max(map(len, log.loss.values()), default=0)
    ends = say_in("Training curves over {} logged points", "训练曲线，共 {} 个记录点").format(logged)
    if len(log.loss) > 1:
        ends += "; " + "; ".join(f"{name} {points[-1][1]:.3f}" for name, points in log.loss.items() if points)
    last = f"; {log.metric} {log.valid_metric[-1][1]:.3f}" if log.valid_metric else ""
    return draw("curves", say_in("Training curves", "训练曲线"), ends + last, (WIDE, 3.0), paint, axes=3)


def _from_zero(ax: Axes) -> None:
    """The axis begins at 0, or below where a line does: the loss of a bound or of decibels may be negative."""
    if not ax.dataLim.y0 < 0:
        ax.set_ylim(bottom=0)


@dataclass(frozen=True)
class Line:
    """`points`: `(x, y)` pairs; a line without a name stands in no legend."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    marker: str = ""


@dataclass(frozen=True)
class Panel:
    """Lines over the same steps; `zero`: the axis begins there."""

    title: str
    lines: Sequence[Line]
    zero: bool = False


def points(log: Sequence[Mapping[str, object]], kind: str, key: str) -> list[tuple[float, float]]:
    """`(step, value)` of the logged lines of one kind that hold a finite number under `key`."""
    found = [(line["step"], line.get(key)) for line in log if line["kind"] == kind]
    return [
        (float(s), float(v)) for s, v in found if isinstance(s, int | float) and isinstance(v, int | float) and np.isfinite(v)
    ]


def panels(name: str, title: str, shown: Sequence[Panel], best: float | None = None) -> Picture:
    """Panels side by side over the steps of a run; a dashed line where `best` is the step that was kept."""

    def paint(*axes: Axes) -> None:
        for ax, panel in zip(axes, shown, strict=True):
            for line in panel.lines:
                if line.points:
                    ax.plot(
                        *zip(*line.points, strict=True), color=line.colour, label=line.name, marker=line.marker, markersize=4
                    )
            if sum(bool(line.points) for line in panel.lines) > 1:
                ax.legend()
            if best is not None:
                ax.axvline(best, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
            if panel.zero:
                _from_zero(ax)
            ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5))
            ax.set_title(panel.title)
            ax.set_xlabel(say_in("step", "步"))

    ends = [f"{p.title} {line.points[-1][1]:.4g}" for p in shown for line in p.lines[:1] if line.points]
    return draw(name, title, f"{title}: " + "; ".join(ends), (WIDE, 3.0), paint, axes=len(shown))


def confusion(matrix: NDArray[np.int64], labels: Sequence[str], normalised: bool) -> Picture:
    """Rows are actual classes, columns predicted ones; the depth of colour is the share of the row."""
    size, names = len(labels), [short(t, 16) for t in labels]
    upright = size <= 3 and max(map(len, names)) < 12

    def paint(ax: Axes) -> None:
        _cells(ax, matrix, normalised)
        ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
        turned = {"rotation": 0, "ha": "center"} if upright else {"rotation": 55, "ha": "right"}
        ax.set_xticks(range(size), names, rotation_mode="anchor", color=INK, **turned)
        ax.set_yticks(range(size), names, color=INK)
        ax.set(xlabel=say_in("predicted", "预测"), ylabel=say_in("actual", "实际"))
        ax.grid(visible=False)
        for side in ax.spines.values():
            side.set_visible(True)

    share = say_in("Confusion, share of the actual class", "混淆矩阵（按实际类别归一化）")
    title = share if normalised else say_in("Confusion, rows", "混淆矩阵（行数）")
    right = float(np.trace(matrix)) / max(1, int(matrix.sum()))
    alt = title + say_in(f": {size} classes, {right:.1%} on the diagonal", f"：{size} 个类别，{right:.1%} 在对角线上")
    edge = float(np.clip(0.42 * size + 2.0, 3.6, HALF if size <= 10 else WIDE))
    return draw("confusion-normalised" if normalised else "confusion", title, alt, (edge, edge), paint)


def _cells(ax: Axes, matrix: NDArray[np.int64], normalised: bool) -> None:
    """A square and a number for every pair of classes that occurs."""
    from matplotlib.patches import Rectangle

    share = matrix / np.maximum(1, matrix.sum(1, keepdims=True))
    font = 9 if len(matrix) < 12 else 7
    for i, j in np.argwhere(matrix).tolist():
        depth, colour = float(share[i, j]), ACCENT if i == j else SECOND
        ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=colour, alpha=0.12 + 0.7 * depth, linewidth=0))
        text = f"{depth:.2f}".removeprefix("0") if normalised else str(matrix[i, j])
        ax.text(j, i, text, ha="center", va="center", fontsize=font, color=INK)


def reliability(confidence: NDArray[np.float64], correct: NDArray[np.bool_], ece: float, bins: int = 10) -> Picture:
    """How often an answer is right at each confidence (DeGroot & Fienberg 1983), bins of equal width; bars show how many rows."""
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    mean = np.bincount(place, confidence, bins)[filled] / counts[filled]
    right = np.bincount(place, correct.astype(float), bins)[filled] / counts[filled]

    def paint(ax: Axes) -> None:
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label=say_in("perfect", "理想"))
        ax.bar(
            (edges[:-1] + edges[1:]) / 2,
            counts / counts.sum(),
            width=0.92 / bins,
            color=MUTED,
            alpha=0.25,
            label=say_in("share of rows", "行数占比"),
        )
        ax.plot(mean, right, "o-", color=ACCENT, label=say_in("this model", "本模型"))
        ax.set(
            xlim=(0, 1), ylim=(0, 1.02), xlabel=say_in("confidence", "置信度"), ylabel=say_in("share that is right", "正确比例")
        )
        ax.legend(loc="upper left")

    title = say_in(f"Reliability, ECE {ece:.3f}", f"可靠性图，ECE {ece:.3f}")
    pairs = "; ".join(f"{m:.2f}→{r:.2f}" for m, r in zip(mean, right, strict=True))
    return draw("reliability", title, f"{title}: {pairs}", (HALF, 4.4), paint)


def class_bars(name: str, title: str, values: Mapping[str, float], unit: str, limit: int = 40) -> Picture:
    """One bar a class, longest first; at most `limit` classes are drawn."""
    ordered = sorted(values.items(), key=lambda item: -item[1])[:limit]
    whole = all(float(v).is_integer() for v in values.values()) and max(values.values(), default=0) > 1

    def paint(ax: Axes) -> None:
        for i, (_, value) in enumerate(reversed(ordered)):
            ax.barh(i, value, height=0.66, color=ACCENT, alpha=0.85)
            text = f"{value:,.0f}" if whole else f"{value:.3f}"
            ax.annotate(text, (value, i), (5, 0), textcoords="offset points", va="center", fontsize=9, color=MUTED)
        ax.set_yticks(range(len(ordered)), [short(k) for k, _ in reversed(ordered)], color=INK)
        ax.set_ylim(-0.6, len(ordered) - 0.4)
        ax.margins(x=0.12)
        ax.grid(axis="y", visible=False)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(unit)

    alt = f"{title}: " + "; ".join(f"{k} {v:,.3g}" for k, v in ordered)
    return draw(name, title, alt, (HALF, max(1.6, 0.27 * len(ordered) + 0.8)), paint)


def lengths(by_split: Mapping[str, Sequence[float]], unit: str) -> Picture:
    """Distribution of lengths, one outline a split, on a logarithmic axis where a few rows are very long."""
    series = {k: np.asarray(v, dtype=float) for k, v in by_split.items() if len(v)}
    everything = np.concatenate(list(series.values())) if series else np.zeros(1)
    top = max(1.0, float(everything.max()))
    long_tail = top > 20 * max(1.0, float(np.median(everything)))
    first = max(1.0, float(everything.min()))
    edges = np.geomspace(first, top + 1, 41) if long_tail else np.linspace(0, top + 1, 41)

    def paint(ax: Axes) -> None:
        for (split, values), colour in zip(series.items(), SERIES, strict=False):
            share = np.histogram(np.maximum(values, edges[0]), edges)[0] / len(values)
            ax.stairs(share, edges, color=colour, label=split, linewidth=1.6, fill=False)
            ax.stairs(share, edges, color=colour, alpha=0.10, fill=True, linewidth=0)
        if long_tail:
            from matplotlib.ticker import FuncFormatter, NullFormatter

            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(unit)
        ax.set_ylabel(say_in("share of rows", "行数占比"))
        if len(series) > 1:
            ax.legend()

    title = say_in(f"Lengths in {unit}", f"长度（{unit}）")
    alt = (
        title
        + ": "
        + "; ".join(
            f"{k} {say_in('median', '中位数')} {np.median(v):,.0f}, {say_in('longest', '最长')} {v.max():,.0f}"
            for k, v in series.items()
        )
    )
    return draw("lengths", title, alt, (HALF, 3.6), paint)


def fit_line(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Picture:
    """Predicted against actual targets of a regression; on the dashed line they agree."""
    some = slice(None, None, max(1, len(actual) // 1500))

    def paint(ax: Axes) -> None:
        ends = [float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max()))]
        ax.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        ax.plot(actual[some], predicted[some], "o", color=ACCENT, alpha=0.35, markersize=4, markeredgewidth=0)
        ax.set_xlabel(say_in("actual", "实际"))
        ax.set_ylabel(say_in("predicted", "预测"))

    title = say_in("Predicted against actual", "预测值与实际值")
    return draw("fit", title, f"{title}: {len(actual):,}", (HALF, 4.4), paint)


def worsening(metric: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> Picture:
    """A score over the severity of each way in which rows get worse; 0: as they are. Lines differ by colour, dashes and marks."""
    dashes = ("-", (0, (5, 2)), (0, (1.5, 1.5)))

    def paint(ax: Axes) -> None:
        for number, (name, points) in enumerate(lines.items()):
            look = {"color": SERIES[number % len(SERIES)], "linestyle": dashes[number // len(SERIES) % len(dashes)]}
            ax.plot(*zip(*points, strict=True), marker="osD^vPX*"[number % 8], markersize=5, label=short(name), **look)
        ax.set_xlabel(say_in("severity (0: as they are)", "严重程度（0：原样）"))
        ax.set_ylabel(metric)
        ax.set_ylim(bottom=min(0.0, *(y for points in lines.values() for _, y in points)))
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    title = say_in(f"{metric} on worse pictures", f"图片变差时的 {metric}")
    ends = "; ".join(f"{name} {points[0][1]:.3f} → {points[-1][1]:.3f}" for name, points in lines.items())
    return draw("robustness", title, f"{title}: {ends}", (WIDE * 0.72, 4.2), paint)
