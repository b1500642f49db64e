"""A headless Chromium for tests of pages; they are skipped, and say why, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


@contextmanager
def opened(**settings: Any) -> Iterator[tuple[Any, list[str], list[str]]]:
    """A page, the addresses that it asks for, and what went wrong in it; the latter two grow."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if PROGRAM is None:
        pytest.skip("no chromium on this machine")
    asked: list[str] = []
    wrong: list[str] = []
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page(**settings)
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        try:
            yield page, asked, wrong
        finally:
            browser.close()


def violations(page: Any) -> list[tuple[str, str]]:
    """What axe finds wrong in an open page: the rule, and the first element that breaks it. The page must have been opened with
    `bypass_csp=True`, for its own policy lets no foreign program in."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert found["passes"]
    return [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]]
