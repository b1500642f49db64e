"""The page over many runs in a real browser: sorted, filtered, chosen by mouse and keys, with no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import browser, many_runs
from zhuji.tools.report import write_report

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def report(tmp_path: Path) -> str:
    """Five runs on two data sets; the names hold markup."""
    for name, value, seconds, parameters in (("001-a", 0.7, 30, 900), ("002-b", 0.9, 20, 100), ("003-c", 0.8, 10, 500)):
        more = {"seconds": seconds, "model": {"task": "classify", "parameters": parameters}}
        many_runs.write(tmp_path, name, (value, value - 0.02, value + 0.02), **more)
    many_runs.write(tmp_path, "004-d", None)
    many_runs.write(tmp_path, "005-" + EVIL.replace("/", "⁄"), (0.99, 0.98, 1.0), data="other.csv", sha="bb")
    return write_report(tmp_path).page.as_uri()


def names(page: Any) -> list[str]:
    return [row.get_attribute("data-name")[:3] for row in page.locator("#runs tr[data-run]:visible").all()]


def test_sorting_filtering_and_choosing(report: str) -> None:
    with browser.opened() as (page, asked, wrong):
        page.context.set_offline(True)
        page.goto(report)
        assert names(page) == ["002", "003", "001", "004", "005"], "a run on other data is not ranked among them"
        sort = page.get_by_role("button", name="parameters")
        sort.click()
        assert names(page) == ["002", "003", "001", "004", "005"]
        sort.focus()
        page.keyboard.press("Enter")
        assert names(page) == ["001", "003", "002", "004", "005"], "what has no number stands last"
        assert page.locator('th[data-sort="parameters"]').get_attribute("aria-sort") == "descending"
        page.get_by_role("button", name="time").click()
        assert names(page) == ["004", "003", "002", "001", "005"]
        page.get_by_role("button", name="score").click()
        assert names(page)[:3] == ["002", "003", "001"]
        page.get_by_label("Search").fill("00 bag c")
        assert page.locator("#shown").inner_text() == "5 of 5 runs"
        page.get_by_label("Search").fill("003")
        assert names(page) == ["003"] and page.locator("#shown").inner_text() == "1 of 5 runs"
        assert page.locator("section[data-group]:visible").count() == 1
        page.get_by_label("Search").fill("")
        page.get_by_label("Data").select_option("other.csv")
        assert names(page) == ["005"]
        page.get_by_label("Data").select_option("")
        curves = page.locator('.over-step [data-run="1"]')
        assert curves.first.is_visible()
        page.get_by_label("show in the pictures: 002-b").uncheck()
        assert not any(mark.is_visible() for mark in curves.all())
        assert page.locator('.over-step [data-run="0"]').first.is_visible()
        page.get_by_label("epoch").first.check()
        assert page.locator(".over-epoch").first.is_visible() and not page.locator(".over-step").first.is_visible()
        assert page.title() != "owned" and not wrong and asked == [report]


def test_it_fits_a_phone_and_needs_no_program(report: str) -> None:
    with browser.opened(viewport={"width": 360, "height": 700}, java_script_enabled=False, color_scheme="dark") as (
        page,
        asked,
        _,
    ):
        page.goto(report)
        assert names(page) == ["002", "003", "001", "004", "005"] and not page.get_by_label("Search").is_visible()
        assert page.locator("svg.chart").first.is_visible() and asked == [report]
        width = page.locator("body").bounding_box()["width"]
        assert width <= 360 and all(box.bounding_box()["width"] <= 360 for box in page.locator("section").all())


def test_axe_finds_nothing_wrong(report: str) -> None:
    with browser.opened(bypass_csp=True) as (page, _, _wrong):
        page.goto(report)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            assert not browser.violations(page)
