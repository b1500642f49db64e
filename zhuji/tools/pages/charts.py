"""Small charts as SVG text, for pages in which runs can be chosen: every mark says whose it is (`data-run`), colours are classes of the page.

matplotlib draws the pictures of one run (`drawing.py`); here marks must stay apart by run, be drawn in milliseconds while a run goes on,
and do without style attributes, which a strict content security policy refuses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 380.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 10.0, 36.0
COLOURS = 8
_WIDE_RANGE = 50.0
"""Above this ratio of the largest value to the smallest an axis is logarithmic."""


@dataclass(frozen=True)
class Curve:
    """`run`: number of the run on its page; NaN in `points` is a gap; `dots`: each point is marked; `kept`: the x of the step that was kept."""

    run: int
    name: str
    points: Points
    dots: bool = False
    kept: float | None = None


@dataclass(frozen=True)
class Mark:
    """A point of a scatter: `x` a cost, `y` a score with the ends of its interval; `label`: up to three signs; `front`: nobody beats it."""

    run: int
    label: str
    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    front: bool = False


@dataclass(frozen=True)
class Bar:
    """A score with its interval; `run` None: a baseline, drawn grey."""

    run: int | None
    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scale:
    """From values to places on an axis that runs from `low` to `high`, both finite; logarithmic or not."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the axis, at most about `most`."""
        if self.log:
            decades = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            found = [10.0**k for k in decades]
            if len(found) >= 2:
                return found[:: max(1, math.ceil(len(found) / most))]
            return [k * 10.0**d for d in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
                    for k in (1, 2, 5) if self.low <= k * 10.0**d <= self.high]  # fmt: skip
        step = round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def round_step(rough: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= rough * (1 - 1e-9))


def scale(values: Sequence[float], start: float, end: float, *, log: bool = False, pad: float = 0.06) -> Scale:
    """An axis over finite values with a little room at both ends; `log` is taken where all are positive and far apart."""
    low, high = min(values), max(values)
    if log and low > 0 and high / low > _WIDE_RANGE:
        room = (high / low) ** pad
        return Scale(low / room, high * room, start, end, log=True)
    room = (high - low) * pad if high > low else abs(high) * 0.1 or 1.0
    return Scale(low - room, high + room, start, end)


def tick_text(value: float) -> str:
    """`0.25`, `1.2k`, `3M`, `1e-05`: as short as it can be without losing its value."""
    size = abs(value)
    if size >= 1e4 or 0 < size < 1e-3:
        for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if limit <= size < 1e12:
                return f"{value / limit:.4g}{unit}"
        return f"{value:.3g}"
    return f"{round(value, 10):.6g}"


def lines(alt: str, curves: Sequence[Curve], x_label: str, x_text: str = "number") -> str | None:
    """Lines over one axis; None where no point is finite. `x_text`: `number`, or `time` for seconds."""
    finite = [(x, y) for curve in curves for x, y in curve.points if math.isfinite(y)]
    if not finite:
        return None
    across = scale([0.0, *(x for x, _ in finite)], LEFT, WIDTH - RIGHT, pad=0.0)
    up = scale([y for _, y in finite], HEIGHT - BOTTOM, TOP, log=True)
    body = [_axes(across, up, x_label, x_text), *(_curve(curve, across, up) for curve in curves)]
    return _svg(alt, HEIGHT, body)


def is_log(points: Points) -> bool:
    """Whether `lines` draws these on a logarithmic axis."""
    return scale([y for _, y in points if math.isfinite(y)] or [1.0], 0, 1, log=True).log


def _curve(curve: Curve, across: Scale, up: Scale) -> str:
    places = [(across(x), up(y)) if math.isfinite(y) else None for x, y in curve.points]
    path, fresh = "", True
    for place in places:
        if place is not None:
            path += f"{'M' if fresh else 'L'}{place[0]:.1f} {place[1]:.1f}"
        fresh = place is None
    inner = f'<path d="{path}"/>'
    if curve.dots:
        inner += "".join(f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="2.6"/>' for place in places if place is not None)
    kept = next((p for p, (x, _) in zip(places, curve.points, strict=True) if x == curve.kept and p is not None), None)
    if kept is not None:
        inner += f'<circle class="kept" cx="{kept[0]:.1f}" cy="{kept[1]:.1f}" r="5.5"/>'
    look = "curve dots" if curve.dots else "curve"
    return f'<g class="{look} {_hue(curve.run)}" data-run="{curve.run}"><title>{escape(curve.name)}</title>{inner}</g>'


def _hue(run: int) -> str:
    """Colour by number; beyond the colours the line is dashed."""
    return f"c{run % COLOURS}" + (" dash" if run // COLOURS % 2 else "")


def _axes(across: Scale, up: Scale, x_label: str, x_text: str) -> str:
    x_ticks = across.ticks() if x_text == "number" else _time_ticks(across)
    told = tick_text if x_text == "number" else _time_text
    low, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path class="grid" d="M{LEFT:.0f} {up(y):.1f}H{right:.0f}"/>' for y in up.ticks()]
    parts += [f'<text x="{LEFT - 7:.0f}" y="{up(y) + 4:.1f}" text-anchor="end">{tick_text(y)}</text>' for y in up.ticks()]
    parts += [f'<path class="axis" d="M{LEFT:.0f} {low:.0f}H{right:.0f}"/>']
    for x in x_ticks:
        anchor = "end" if across(x) > right - 12 else "middle"
        parts.append(f'<text x="{min(across(x), right):.1f}" y="{low + 16:.0f}" text-anchor="{anchor}">{told(x)}</text>')
    parts.append(
        f'<text class="label" x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 3:.0f}" text-anchor="middle">{escape(x_label)}</text>'
    )
    return "".join(parts)


def _time_ticks(across: Scale) -> list[float]:
    """Whole seconds, minutes or hours."""
    rough = max(1e-9, across.high / 5)
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
    step = next((s for s in steps if s >= rough), 0) if rough >= 1 else round_step(rough)
    step = step or round_step(rough / 86400) * 86400
    return [k * step for k in range(math.floor(across.high / step + 1e-9) + 1)]


def _time_text(seconds: float) -> str:
    if seconds >= 86400:
        return f"{seconds / 86400:.3g}d"
    if seconds >= 3600:
        return f"{seconds / 3600:.3g}h"
    return f"{seconds / 60:.3g}m" if seconds >= 60 else f"{seconds:.3g}s"


def intervals(alt: str, bars: Sequence[Bar], x_label: str) -> str:
    """A row for each: its name above, a dot for the score, a line for its interval. The axis does not begin at zero: no length is read."""
    row, top = 38.0, 6.0
    height = top + row * len(bars) + BOTTOM
    ends = [end for bar in bars for end in (bar.value, bar.low, bar.high) if end is not None]
    across = scale(ends, 8.0, WIDTH - 12.0)
    low = height - BOTTOM
    parts = [f'<path class="grid" d="M{across(x):.1f} {top:.0f}V{low:.0f}"/>' for x in across.ticks()]
    parts += [
        f'<text x="{across(x):.1f}" y="{low + 16:.0f}" text-anchor="middle">{tick_text(x)}</text>' for x in across.ticks()
    ]
    parts.append(f'<text class="label" x="{WIDTH / 2:.0f}" y="{height - 3:.0f}" text-anchor="middle">{escape(x_label)}</text>')
    for i, bar in enumerate(bars):
        y = top + row * i + 26
        span = "" if bar.low is None or bar.high is None else f'<path d="M{across(bar.low):.1f} {y}H{across(bar.high):.1f}"/>'
        whose = 'class="bar base"' if bar.run is None else f'class="bar {_hue(bar.run)}" data-run="{bar.run}"'
        name = f'<text class="name" x="8" y="{y - 11}">{escape(short(bar.name))}</text>'
        value = f'<text class="value" x="{WIDTH - 12:.0f}" y="{y - 11}" text-anchor="end">{bar.value:.3f}</text>'
        parts.append(
            f'<g {whose}><title>{escape(bar.name)}</title>{name}{value}{span}<circle cx="{across(bar.value):.1f}" cy="{y}" r="5"/></g>'
        )
    return _svg(alt, height, parts)


def scatter(alt: str, marks: Sequence[Mark], x_label: str, x_text: str = "number") -> str:
    """Score against cost, each mark with the number of its run; a stepped line joins those that nobody beats."""
    across = scale([m.x for m in marks], LEFT + 8, WIDTH - RIGHT - 8, log=True, pad=0.08)
    ends = [end for m in marks for end in (m.y, m.low, m.high) if end is not None]
    up = scale(ends, HEIGHT - BOTTOM, TOP)
    best = sorted((m for m in marks if m.front), key=lambda m: m.x)
    path = "".join(
        f"{'H' if i else 'M'}{across(m.x):.1f}{f'V{up(m.y):.1f}' if i else f' {up(m.y):.1f}'}" for i, m in enumerate(best)
    )
    parts = [_axes(across, up, x_label, x_text if not across.log else "number"), f'<path class="front" d="{path}"/>']
    for m in marks:
        x, y = across(m.x), up(m.y)
        span = "" if m.low is None or m.high is None else f'<path d="M{x:.1f} {up(m.low):.1f}V{up(m.high):.1f}"/>'
        look = f"mark {_hue(m.run)}" + (" best" if m.front else "")
        parts.append(
            f'<g class="{look}" data-run="{m.run}"><title>{escape(m.name)}</title>{span}<circle cx="{x:.1f}" cy="{y:.1f}" r="8.5"/>'
            f'<text x="{x:.1f}" y="{y + 3.8:.1f}" text-anchor="middle">{escape(m.label)}</text></g>'
        )
    return _svg(alt, HEIGHT, parts)


def short(name: str, limit: int = 42) -> str:
    """A name on one line, cut in its middle: run names differ at both ends."""
    text = " ".join(name.split())
    return text if len(text) <= limit else f"{text[: limit // 2 - 1]}…{text[-limit // 2 :]}"


def _svg(alt: str, height: float, parts: Sequence[str]) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(alt)}">{"".join(parts)}</svg>'
