"""A headless Chromium that can reach this machine only, and what every test of the page asks of it: no foreign request, no violation
of the page's policy, no error."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from tests.browser import PROGRAM, violations
from tests.serving import house

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
EXPECTED = "the server responded with a status of"
"""The browser itself notes an answer that is no success; tests ask for some on purpose."""
LOOKS = [("en", "light", 1280), ("zh", "dark", 390), ("zh", "light", 320)]
"""Language, theme and width of a screen."""
Way = Literal["Python", "curl"]


@contextmanager
def answering(models: Mapping[str, Path], **more: Any) -> Iterator[str]:
    """The address of a server over these models, by name; `more`: settings of it."""
    places = [{"name": name, "path": str(path)} for name, path in models.items()]
    with house.serving(house.settings().parse({"models": places, "port": 0, "rate": 1000, **more})) as (host, port, _):
        yield f"http://{host}:{port}/"


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


def give(page: Any, data: bytes, name: str, kind: str) -> None:
    """A file of this media type through the button, and wait for the answer."""
    page.evaluate("document.querySelector('#result').replaceChildren()")
    page.set_input_files("#file input", {"name": name, "mimeType": kind, "buffer": data})
    page.wait_for_selector("#result .times")


def hand(page: Any, way: Literal["drop", "paste"], data: bytes, name: str, kind: str) -> None:
    """The same without the button."""
    page.evaluate(
        """([text, way, name, type]) => { const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer(); data.items.add(new File([bytes], name, { type }));
        document.querySelector("#result").replaceChildren();
        if (way === "paste") document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        else for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true })); }""",
        [base64.b64encode(data).decode(), way, name, kind],
    )
    page.wait_for_selector("#result .times")


def clear_and_bring_back(page: Any, name: str, example: str, *, empty: str, asked: str) -> None:
    """Without an input the page says that it is `empty` and asks for one; the file of this `name` comes back from the history, and the example can be sent."""
    page.get_by_role("button", name="Clear").click()
    assert empty in page.locator("#input").inner_text()
    page.locator("#send").click()
    assert asked in page.locator("#said").inner_text()
    page.locator("#history-body button", has_text=name).click()
    page.wait_for_selector("#input canvas")
    page.get_by_role("button", name="Example").click()
    page.wait_for_selector(f"#input figcaption:has-text('{example}')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#result .times")


def scores(page: Any) -> dict[str, float]:
    """What is shown of each class."""
    rows = page.locator("#result .bars tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.label, Number(row.dataset.score)])"
    )
    return dict(rows)


def until(page: Any, true: str) -> None:
    """The page's policy forbids what Playwright waits by."""
    for _ in range(200):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    raise AssertionError(true)


def code(page: Any, way: Way) -> str:
    """The program that the page shows for what was asked."""
    page.locator("#calls").get_by_label(way, exact=True).check()
    return page.locator("#calls code").inner_text()


def ran(page: Any, way: Way, folder: Path) -> str:
    """What that program prints when it runs in this folder. Skips where there is no curl."""
    if way == "curl" and not shutil.which("curl"):
        pytest.skip("no curl here")
    program = [sys.executable, "-c"] if way == "Python" else ["bash", "-c"]
    done = subprocess.run([*program, code(page, way)], cwd=folder, capture_output=True, check=True, timeout=60)
    return done.stdout.decode()


def assert_clean(page: Any, width: int, about: str = "") -> None:
    """Nothing that axe finds wrong, no word that is missing, and nothing wider than the screen."""
    assert violations(page) == [], about
    assert "undefined" not in page.locator("body").inner_text(), about
    assert page.evaluate("document.documentElement.scrollWidth") <= width, about
