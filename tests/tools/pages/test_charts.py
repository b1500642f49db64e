from __future__ import annotations

import itertools
import math
import re
from xml.dom import minidom

import pytest

from zhuji.tools.pages import charts
from zhuji.tools.pages.charts import Bar, Curve, Mark, Scale, intervals, is_log, lines, scale, scatter, tick_text

EVIL = '"><script>alert(1)</script>'


def drawn(svg: str | None) -> minidom.Document:
    assert svg is not None
    return minidom.parseString(svg)


@pytest.mark.parametrize("span", [(0, 1), (0.61, 0.84), (-3, 3), (0, 1e9), (1e-7, 3e-7), (999, 1000.5)])
def test_ticks_are_round_and_within_the_axis(span: tuple[float, float]) -> None:
    found = Scale(*span, 0, 100)
    ticks = found.ticks()
    assert 2 <= len(ticks) <= 7 and all(span[0] - 1e-9 <= t <= span[1] + 1e-9 for t in ticks)
    assert len({tick_text(t) for t in ticks}) == len(ticks)
    step = ticks[1] - ticks[0]
    assert float(f"{step:.1e}"[0]) in (1, 2, 5) and all(b - a == pytest.approx(step) for a, b in itertools.pairwise(ticks))


def test_a_wide_range_of_positive_values_has_a_logarithmic_axis() -> None:
    assert not is_log([(0, 0.1), (1, 4.0)]) and is_log([(0, 0.1), (1, 8.0)]) and not is_log([(0, 0.0), (1, 8.0)])
    up = scale([0.1, 1000.0], 100, 0, log=True)
    assert up(10.0) == pytest.approx((up(0.1) + up(1000.0)) / 2) and up.ticks()[0] == pytest.approx(0.1)
    assert is_log([]) is False and scale([2.0], 0, 1)(2.0) == pytest.approx(0.5)


def test_points_lie_where_their_values_say() -> None:
    page = drawn(lines("a", [Curve(0, "x", [(0, 0.0), (5, 0.5), (10, 1.0)])], "step"))
    [path] = [p.getAttribute("d") for p in page.getElementsByTagName("path") if p.getAttribute("d").count("L") == 2]
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, pair.split())) for pair in re.findall(r"[\d.]+ [\d.]+", path)]
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1) and y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert x0 == charts.LEFT and x2 == charts.WIDTH - charts.RIGHT and y2 < y0


def test_a_value_that_is_not_finite_is_a_gap() -> None:
    svg = lines("a", [Curve(0, "x", [(0, 1.0), (1, 1.1), (2, math.nan), (3, 1.2), (4, 1.3)])], "step")
    assert svg is not None and max(d.count("M") for d in re.findall(r'd="([^"]*)"', svg)) == 2
    assert lines("a", [Curve(0, "x", [(0, math.nan)])], "step") is None and lines("a", [], "step") is None


def test_names_are_text_and_marks_say_whose_they_are() -> None:
    curve = Curve(9, EVIL, [(0, 1.0), (1, 2.0)], dots=True, kept=1)
    bars = [Bar(9, EVIL, 0.5, 0.4, 0.6), Bar(None, EVIL, 0.3)]
    marks = [Mark(9, "<b>", EVIL, 10, 0.5, 0.4, 0.6, True), Mark(1, "1", "b", 1000, 0.6)]
    for svg in (lines(EVIL, [curve], EVIL), intervals(EVIL, bars, EVIL), scatter(EVIL, marks, EVIL)):
        page = drawn(svg)
        assert not page.getElementsByTagName("script") and 'style="' not in (svg or "")
        root = page.documentElement
        assert root is not None and root.getAttribute("role") == "img" and root.getAttribute("aria-label") == EVIL
        whose = {g.getAttribute("data-run") for g in page.getElementsByTagName("g")} - {""}
        assert "9" in whose
    assert 'class="kept"' in (lines("a", [curve], "step") or "") and "dash" in (lines("a", [curve], "step") or "")


def test_times_stand_on_whole_units() -> None:
    for last, told in ((8.0, "8s"), (90.0, "1m"), (4000.0, "1h"), (200_000.0, "1d")):
        svg = lines("a", [Curve(0, "x", [(0, 1.0), (last, 2.0)])], "time", "time")
        assert svg is not None and f">{told}</text>" in svg


def test_long_names_are_cut_in_the_middle() -> None:
    assert charts.short("a" * 50 + "z" * 50, 20) == "a" * 9 + "…" + "z" * 10 and charts.short("a\nb") == "a b"
