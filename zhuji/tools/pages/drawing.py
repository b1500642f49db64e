"""Matplotlib figures as SVG that lives inside a page: real text, colours that follow light and dark, no outside links.

A figure is drawn in the light theme's colours; in the SVG each of them becomes `var(--name, colour)`, so the picture takes the
page's theme, and still shows well as a file of its own.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, GRID, PAPER = "#1d2127", "#69707a", "#e3e6ea", "#ffffff"
ACCENT, SECOND, THIRD, FOURTH = "#1f7a72", "#c4602f", "#5b62b8", "#a8892a"
SERIES = (ACCENT, SECOND, THIRD, FOURTH)
_NAMES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    ACCENT: "accent",
    SECOND: "second",
    THIRD: "third",
    FOURTH: "fourth",
}

FONTS = (
    "ui-sans-serif, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'PingFang SC', 'Hiragino Sans GB', "
    "'Microsoft YaHei', 'Noto Sans CJK SC', 'Source Han Sans SC', 'WenQuanYi Micro Hei', sans-serif"
)

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.size": 10, "axes.edgecolor": MUTED, "axes.labelcolor": MUTED, "axes.titlecolor": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "text.color": INK, "axes.grid": True, "axes.axisbelow": True, "grid.color": GRID,
    "grid.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.titlesize": 10.5,
    "axes.titlelocation": "left", "axes.titlepad": 10, "xtick.major.size": 0, "ytick.major.size": 0, "legend.frameon": False,
    "legend.fontsize": 9, "lines.linewidth": 1.8, "lines.solid_capstyle": "round", "figure.facecolor": "none",
    "axes.facecolor": "none", "savefig.facecolor": "none", "axes.unicode_minus": False, "axes.labelsize": 9.5,
    "xtick.labelsize": 9, "ytick.labelsize": 9, "text.parse_math": False, "axes.formatter.useoffset": False,
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """`svg` stands inside a page; `alt` says in words what it shows."""

    name: str
    title: str
    alt: str
    svg: str

    @property
    def file(self) -> str:
        """The same picture as a file of its own."""
        head = '<?xml version="1.0" encoding="UTF-8"?>\n'
        return head + self.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def draw(name: str, title: str, alt: str, size: tuple[float, float], paint: Callable[..., None], *, axes: int = 1) -> Picture:
    """A picture of `axes` axes side by side, painted by `paint(*axes)`; `size` in inches (72 points)."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The browser draws the text: that our own font lacks a Chinese glyph only makes a measure a little wrong.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        grid: list[Axes] = list(figure.subplots(1, axes, squeeze=False)[0])
        paint(*grid)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(name, title, alt, _inlined(buffer.getvalue(), name, alt))


def _inlined(svg: str, name: str, alt: str) -> str:
    """The `<svg>` element alone: no prologue, no namespaces, no ids but the ones it refers to, and the fonts named once."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(?<= id=")(?=[^"])|(?<=href="#)|(?<=url\(#)', f"{name}-", svg)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    svg = re.sub(r"font: ((?:bold |italic |\d+ )*)([\d.]+px) [^;\"]*", r"font-size: \2; font-weight: \1", svg)
    for colour, variable in _NAMES.items():
        svg = re.sub(f'(?<=[: "]){colour}', f"var(--{variable}, {colour})", svg)
    found = re.search(r'viewBox="(0 0 ([\d.]+) ([\d.]+))"', svg)
    assert found, "matplotlib always writes a viewBox"
    box, width, height = found.groups()
    look = f'style="font-family: {FONTS}; stroke-linejoin: round"'
    head = f'<svg viewBox="{box}" width="{width}" height="{height}" role="img" aria-label="{escape(alt)}" {look}>'
    return re.sub(r"<svg\b[^>]*>", lambda _: head, svg, count=1)
