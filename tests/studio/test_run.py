"""The studio as it is started: its address, who may not have it, and a browser that sees a run go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import browser, many_runs
from zhuji.core.errors import BadSetting, MissingExtra, MissingFile
from zhuji.studio.run import serve

uvicorn = pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")


@contextmanager
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a studio that runs in a thread."""
    servers: list[Any] = []
    begin = uvicorn.Server.__init__
    monkeypatch.setattr(uvicorn.Server, "__init__", lambda self, config: (begin(self, config), servers.append(self))[0])
    address: list[str] = []
    ready = threading.Event()
    thread = threading.Thread(
        target=serve,
        args=(folder, 0),
        kwargs={"sets": ["studio.every=0.1"], "ready": lambda at: (address.append(at), ready.set())},
    )
    thread.start()
    try:
        assert ready.wait(20)
        yield address[0]
    finally:
        servers[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def test_what_cannot_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFile):
        serve(tmp_path / "none")
    with pytest.raises(BadSetting, match="port"):
        serve(tmp_path, 70_000)
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"zhuji\[serve\]"):
        serve(tmp_path)


@pytest.mark.enable_socket
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # uvicorn leaves the socket it could not bind unclosed
def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path, monkeypatch) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        listening = [c.laddr for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert [(at.ip, at.port) for at in listening if at.port == port] == [("127.0.0.1", port)], "this machine alone"
        with pytest.raises(BadSetting, match="no other program"):
            serve(tmp_path, port)


@pytest.mark.enable_socket
def test_a_browser_sees_a_run_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_runs.write(tmp_path, "001-done")
    folder = many_runs.write(tmp_path, "002-<b>live<⁄b>", None, steps=4, planned=40)
    with served(tmp_path, monkeypatch) as address, browser.opened() as (page, asked, wrong):
        page.goto(address)
        page.get_by_text("live", exact=True).wait_for()
        page.locator(".progress b", has_text="4").wait_for()
        page.get_by_label("Search").fill("00")
        page.get_by_label("show in the pictures: 001-done").uncheck()
        page.get_by_label("Search").focus()
        with open(folder / "metrics.jsonl", "a") as file:
            file.write(json.dumps(many_runs.train_line(31, 0.1)) + "\n")
        page.locator(".progress b", has_text="31").wait_for()
        assert page.get_by_label("Search").input_value() == "00" and page.evaluate("document.activeElement.id") == "find"
        assert not page.get_by_label("show in the pictures: 001-done").is_checked()
        done = many_runs.write(tmp_path.parent / f"{tmp_path.name}-made", "x")
        (done / "results.json").rename(folder / "results.json")
        page.locator(".live").wait_for(state="detached")
        page.get_by_role("link", name="001-done").click()
        page.wait_for_url("**/runs/001-done/report.html")
        assert page.title() == "its own report" and not wrong
        assert asked and all(url.startswith((address, "data:,")) for url in asked)


@pytest.mark.enable_socket
def test_axe_finds_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_runs.write(tmp_path, "001-done")
    many_runs.write(tmp_path, "002-live", None, steps=4, planned=40)
    with served(tmp_path, monkeypatch) as address, browser.opened(bypass_csp=True) as (page, _, _wrong):
        page.goto(address)
        page.get_by_text("live", exact=True).wait_for()
        assert not browser.violations(page)
