from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests import many_runs
from zhuji.core.errors import MissingExtra
from zhuji.studio.app import REPORT_POLICY, build, changes
from zhuji.studio.watch import Watch

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")


def ask(
    app: Any, path: str, *, method: str = "GET", host: str = "127.0.0.1:8610", query: str = ""
) -> tuple[int, dict[str, str], str]:
    """One request, its path as it stands: no client tidies it on the way."""
    from urllib.parse import unquote

    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "root_path": "",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "headers": [(b"host", host.encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8610),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]).decode()


@pytest.fixture
def app(tmp_path: Path) -> Any:
    many_runs.write(tmp_path / "runs", "001-a")
    (tmp_path / "report.html").write_text("secret")
    return build(Watch(tmp_path / "runs"), 0.01)


def test_the_page_and_what_it_needs(app: Any) -> None:
    status, headers, body = ask(app, "/")
    assert status == 200 and "001-a" in body and "<script>" not in body and "style=" not in body and "http://" not in body
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    for name, kind in (("studio.css", "text/css"), ("studio.js", "text/javascript")):
        status, headers, body = ask(app, f"/page/{name}")
        assert status == 200 and headers["content-type"].startswith(kind) and len(body) > 1000
    assert '<html lang="zh-CN">' in ask(app, "/", query="lang=zh")[2]
    assert '<html lang="en">' in ask(app, "/", query="lang=fr%22%3E")[2]


def test_a_report_is_given_out_with_everything_in_it_disarmed(app: Any) -> None:
    status, headers, body = ask(app, "/runs/001-a/report.html")
    assert (status, headers["content-security-policy"]) == (200, REPORT_POLICY) and "its own report" in body
    assert "sandbox" in REPORT_POLICY and "script" not in REPORT_POLICY and "img-src data:;" in REPORT_POLICY


@pytest.mark.parametrize(
    "path",
    ["/runs/../report.html", "/runs/%2e%2e/report.html", "/runs/..%2freport.html", "/runs//report.html", "/runs/./report.html",
     "/runs/001-a/run.yaml", "/runs/001-a/../001-a/run.yaml", "/runs/001-a%00/report.html", "/runs/001-a/bundle/model.safetensors",
     "/page/../app.py", "/page/%2e%2e%2fapp.py", "/page/studio.html", "/page/", "/etc/passwd", "//etc/passwd", "/docs", "/openapi.json",
     "/runs/%2Fetc%2Fpasswd/report.html", "/runs/001-a/report.html/..", "/runs/%5c..%5c/report.html", "/" + "a" * 10_000],
)  # fmt: skip
def test_path_tricks_lead_nowhere(app: Any, path: str) -> None:
    status, headers, body = ask(app, path)
    assert status == 404 and "secret" not in body and "recipe" not in body and "content-security-policy" in headers


def test_it_only_looks_and_answers_to_its_own_name_alone(app: Any) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(app, "/", method=method)[0] == 405
    assert ask(app, "/", host="evil.example")[0] == 400 and ask(app, "/", host="localhost:1")[0] == 200


def test_changes_come_as_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhuji.studio.watch._FRESH", 0.0)
    folder = many_runs.write(tmp_path, "001-a", None, steps=4, planned=40)

    async def listen() -> list[dict[str, Any]]:
        events, found = changes(Watch(tmp_path), "en", 0.01), []
        found.append(await anext(events))
        with open(folder / "metrics.jsonl", "a") as file:
            file.write(json.dumps(many_runs.train_line(8, 0.1)) + "\n")
        found.append(await anext(events))
        monkeypatch.setattr("zhuji.studio.app._STILL_HERE", 0.0)
        assert await anext(events) == ": still here\n\n"
        await events.aclose()
        return [json.loads(text.removeprefix("data: ")) for text in found]

    first, second = asyncio.run(listen())
    assert first["order"] == list(first["changed"]) == ["summary", "live-0", "table", "g0"]
    assert set(second["changed"]) == {"live-0", "table", "g0"} and ">8</b>" in second["changed"]["live-0"]


def test_without_fastapi_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fastapi", None)
    with pytest.raises(MissingExtra, match=r"zhuji\[serve\]"):
        build(Watch(tmp_path), 1.0)
