"""A page as one self-contained file: style and pictures inside, every outside text escaped, in the person's language."""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from pathlib import Path
from typing import Any

from zhuji.core.errors import language
from zhuji.core.log import in_language
from zhuji.data.words import told
from zhuji.tools.pages.drawing import Picture
from zhuji.version import __version__

FOLDER = Path(__file__).parent / "templates"


LOWER_IS_BETTER = {"wer", "cer", "greedy_wer", "greedy_cer", "unfit", "unspelled", "log_loss", "brier", "ece", "ece_mass", "ece_width", "rmse", "mae", "mse", "hamming", "hamming_loss",
                   "perplexity", "bits_per_unit", "empty", "copied", "words_lost", "alignment", "uniformity", "align_and_spread",
                   "surprise", "divergence", "denoising", "sliced_distance"}  # fmt: skip


def better(metric: str) -> int:
    """1 where more of a metric is better, -1 where less is."""
    return -1 if metric in LOWER_IS_BETTER or metric.endswith(("loss", "_error")) else 1


def render(template: str, *, beside: Path | None = None, **facts: Any) -> str:
    """The HTML of a template in this package, or in the folder `beside` it; texts in `facts` are data and cannot become markup."""
    return writable(_environment(beside, "zh-CN" if language() == "zh" else "en").get_template(template).render(**facts))


@cache
def _environment(beside: Path | None, lang: str) -> Any:
    """Templates are compiled once a process: the studio fills them every second."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folders = [FOLDER] if beside is None else [beside, FOLDER]
    environment = Environment(
        loader=FileSystemLoader(folders, encoding="utf-8"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(t=in_language, lang=lang, version=__version__, picture=_picture)
    environment.filters.update(score=score, count=count, interval=interval, percent=percent, told=told)
    return environment


def writable(text: str) -> str:
    """JSON and file names may hold halves of characters, which no page can."""
    return text.encode("utf-8", "replace").decode("utf-8")


def sheet(*names: str) -> str:
    """Style sheets or programs of this package as one text, to stand inside a page."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def policy_hash(text: str) -> str:
    """How a content security policy names this very text: nothing else of its kind then counts (CSP level 2, section 4.2.4)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


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
