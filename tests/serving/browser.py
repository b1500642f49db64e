"""A headless Chromium that can reach this machine only, and what every test of the page asks of it: no foreign request, no violation
of the page's policy, no error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser import PROGRAM

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
EXPECTED = "the server responded with a status of"
"""The browser itself notes an answer that is no success; tests ask for some on purpose."""


@contextmanager
def browsing(*more: str) -> Iterator[Any]:
    """A browser, until the end; `more`: arguments of its own. Skips where there is none."""
    if PROGRAM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page and what it did that it should not have done."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(reduced_motion="reduce", **options)
        self.context.set_default_timeout(30_000)
        self.page, self.address = self.context.new_page(), address
        self.foreign: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(request.url)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and EXPECTED not in message.text:
            self.faults.append(f"{message.type}: {message.text}")

    def open(self, words: str = "lang=en&theme=light") -> Any:
        """The page, ready, with these words in its address."""
        self.page.goto(f"{self.address}?{words}")
        self.page.wait_for_selector("[data-ready]")
        return self.page

    def close(self) -> None:
        """Raises where the page did what it should not."""
        self.context.close()
        assert not self.foreign + self.faults, str(self.foreign + self.faults)


@contextmanager
def watched(browser: Any, address: str, **options: Any) -> Iterator[Watched]:
    """A page of its own, watched until the end."""
    assert urlsplit(address).hostname == "127.0.0.1"
    found = Watched(browser, address, **options)
    try:
        yield found
    finally:
        found.close()


def send(page: Any, text: str | None = None, *more: str) -> None:
    """Type texts into the fields, one each, send them by keyboard and wait for the answer."""
    for field, value in enumerate(() if text is None else (text, *more)):
        page.locator("#input textarea").nth(field).fill(value)
    page.evaluate("document.querySelector('#result').replaceChildren()")
    page.locator("#input textarea").first.press("Control+Enter")
    page.wait_for_selector("#result .times")


def choose(page: Any, model: str) -> None:
    """Another model, and what belongs to it."""
    page.locator("#model").select_option(model)
    page.wait_for_selector(f"[data-model='{model}']")
