"""The picture of what a model costs in each format: what it scores, beside how long one waits and how much it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zhuji.core.log import in_language as say_in
from zhuji.core.quantity import bytes_text
from zhuji.tools.pages.drawing import ACCENT, INK, MUTED, SECOND, Picture, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _LINE = 12.4, 0.42
"""In inches of 72 points: the page's column, and the height of a format."""


def priced(formats: Sequence[Mapping[str, Any]]) -> Picture:
    """`formats` as in `benchmark.json`: from top to bottom, the quickest first."""
    ordered = sorted(formats, key=lambda of: of["p50_ms"], reverse=True)
    names = [str(of["format"]) for of in ordered]

    def bars(ax: Axes, key: str, label: str, text: str, colour: str) -> None:
        values = [float(of[key]) for of in ordered]
        ax.barh(range(len(values)), values, color=colour, height=0.55)
        for place, value in enumerate(values):
            ax.annotate(
                text.format(value), (value, place), (5, 0), textcoords="offset points", va="center", color=INK, fontsize=9
            )
        ax.set_yticks(range(len(names)), names, color=INK, fontsize=10)
        ax.set_xlim(0, 1.25 * max(values, default=1) or 1)
        ax.set_xlabel(label)
        ax.grid(axis="y", visible=False)

    def paint(wait: Axes, rate: Axes, size: Axes) -> None:
        bars(
            wait,
            "p50_ms",
            say_in("milliseconds for one input (line: 95 %)", "单条输入耗时（毫秒；线为 95 %）"),
            "{:.1f}",
            ACCENT,
        )
        for place, of in enumerate(ordered):
            wait.plot([of["p50_ms"], of["p95_ms"]], [place - 0.33] * 2, color=MUTED, linewidth=1.6)
        wait.set_xlim(0, 1.15 * max((of["p95_ms"] for of in ordered), default=1))
        bars(rate, "rows_per_second", say_in("rows a second, many at once", "批量时每秒行数"), "{:,.0f}", ACCENT)
        bars(size, "bytes", say_in("size", "大小"), "", SECOND)
        for place, of in enumerate(ordered):
            size.annotate(bytes_text(of["bytes"]), (of["bytes"], place), (5, 0), textcoords="offset points", va="center",
                          color=INK, fontsize=9)  # fmt: skip
        size.set_xticks([])
        for ax in (rate, size):
            ax.set_yticks(range(len(names)), [])

    title = say_in("What each format costs on this machine", "各格式在本机上的开销")
    told = "; ".join(
        f"{of['format']}: {of['p50_ms']:.1f} ms, {of['rows_per_second']:,.0f}/s, {bytes_text(of['bytes'])}" for of in ordered
    )
    return draw("benchmark", title, f"{title}: {told}", (_WIDTH, 1.1 + _LINE * max(len(ordered), 2)), paint, axes=3)
