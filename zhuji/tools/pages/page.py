"""A page as one self-contained file: style and pictures inside, every outside text escaped, in the person's language."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from zhuji.core.errors import language
from zhuji.core.log import in_language
from zhuji.data.words import told
from zhuji.tools.pages.drawing import Picture
from zhuji.version import __version__

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **facts: Any) -> str:
    """The HTML of a template in this package; texts in `facts` are data and cannot become markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(
        t=in_language, lang="zh-CN" if language() == "zh" else "en", version=__version__, picture=_picture
    )
    environment.filters.update(score=score, count=count, interval=interval, percent=percent, told=told)
    return environment.get_template(template).render(**facts)


def _picture(picture: Picture) -> Any:
    from markupsafe import Markup

    return Markup(picture.svg)  # noqa: S704 - drawn by us; every text in it was escaped by matplotlib


def score(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"


def interval(of: dict[str, float | None]) -> str:
    low, high = of.get("low"), of.get("high")
    return f"[{score(low)}, {score(high)}]" if low is not None and high is not None else ""


def count(value: float) -> str:
    return f"{value:,.0f}"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"
