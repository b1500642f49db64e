"""The studio as a web application: one page, its changes as server-sent events, and the reports of runs. Nothing can be written through it.

A page that was written by somebody else's run is served so that no program in it runs and nothing is fetched from it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from zhuji.core.errors import LANGUAGES, MissingExtra, language
from zhuji.core.log import in_language, speaking
from zhuji.studio.watch import PAGE, Watch
from zhuji.tools.pages.page import render, sheet
from zhuji.tools.pages.plain import text

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
}  # fmt: skip
HOSTS = ("127.0.0.1", "localhost")
"""Names under which the studio answers: a foreign name that leads to this machine is somebody else's page asking (DNS rebinding)."""
_STILL_HERE = 15.0


def build(watch: Watch, every: float) -> Any:
    """The ASGI application over what `watch` sees, looked at every so many seconds for each client. Raises MissingExtra without FastAPI."""
    try:
        from fastapi import FastAPI
        from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    except ImportError:
        raise MissingExtra(what="zhuji studio", package="fastapi", extra="serve") from None

    app = FastAPI(title="Zhuji studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))
    app.add_middleware(_Headers)
    files = {
        "studio.css": (
            "text/css",
            "\n".join((sheet("style.css", "across.css"), (PAGE / "studio.css").read_text(encoding="utf-8"))),
        ),
        "studio.js": ("text/javascript", "\n".join((sheet("across.js"), (PAGE / "studio.js").read_text(encoding="utf-8")))),
    }

    @app.get("/")
    def page(lang: str = "") -> HTMLResponse:
        with speaking(_known(lang)):
            return HTMLResponse(whole_page(watch))

    @app.get("/events")
    async def events(lang: str = "") -> StreamingResponse:
        return StreamingResponse(changes(watch, _known(lang), every), media_type="text/event-stream")

    @app.get("/page/{name}")
    def file(name: str) -> Response:
        kind, content = files.get(name, ("", ""))
        return Response(content, media_type=kind) if kind else PlainTextResponse(_not_here(), 404)

    @app.get("/runs/{name}/report.html")
    def report(name: str) -> Response:
        path = watch.report(name)
        found = None if path is None else _report_text(path)
        if found is None:
            return PlainTextResponse(_not_here(), 404)
        return HTMLResponse(found, headers={"content-security-policy": REPORT_POLICY})

    return app


def _report_text(path: Path) -> str | None:
    """None where it vanished, or became a link, since it was seen."""
    try:
        return text(path)
    except OSError:
        return None


def _known(lang: str) -> str | None:
    return lang if lang in LANGUAGES else None


def _not_here() -> str:
    return in_language("There is nothing here.", "这里没有内容。")


def whole_page(watch: Watch) -> str:
    """The page as it stands now, in the language of now; it shows everything without any program, too."""
    other = "en" if language() == "zh" else "zh"
    return render("studio.html", beside=PAGE, title=watch.title, parts=watch.parts(), other=other)


async def changes(watch: Watch, lang: str | None, every: float) -> AsyncIterator[str]:
    """Server-sent events, as long as the client listens: the parts that changed since the last one, and the order of all.

    A comment now and then tells the network between that nobody has left.
    """
    sent: dict[str, str] = {}
    spoke = time.monotonic()
    while True:
        begun = time.monotonic()
        parts = await asyncio.to_thread(_parts, watch, lang)
        if parts != sent or list(parts) != list(sent):
            changed = {name: html for name, html in parts.items() if sent.get(name) != html}
            yield f"data: {json.dumps({'order': list(parts), 'changed': changed}, ensure_ascii=False)}\n\n"
            sent, spoke = parts, time.monotonic()
        elif time.monotonic() - spoke > _STILL_HERE:
            yield ": still here\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(max(every, 2 * (time.monotonic() - begun)))  # many runs are looked at less often


def _parts(watch: Watch, lang: str | None) -> dict[str, str]:
    with speaking(lang):
        return watch.parts()


class _Headers:
    """Adds the headers that every answer has; those that an answer set itself stay."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Callable[..., Any]) -> None:
        async def sending(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"], *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in own)
                ]  # fmt: skip
            await send(message)

        await self._app(scope, receive, sending)
