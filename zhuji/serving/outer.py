"""The outermost door: an id and a language for each request, headers for each response, a line in the journal, and the last word on errors."""

from __future__ import annotations

import asyncio
import os
import re
import time
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhuji.core.log import in_language, speaking
from zhuji.core.refusals import Busy
from zhuji.serving import journal
from zhuji.serving.failures import failure
from zhuji.serving.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-store",
}  # fmt: skip
"""On every response, unless the route set its own."""
_ENCODED = [(key.lower().encode(), value.encode()) for key, value in HEADERS.items()]
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TONGUE = re.compile(r"\s*(zh|en)(?:-[a-z0-9-]*)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*")
"""One of the languages in which errors are told, and how much it is liked."""


LEFT = 499
"""The status in the journal of a request whose client left: nothing was sent."""


class ClientLeft(Exception):
    """Nobody waits for this answer any more."""


class Outer:
    """Sees every request first and every response last."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with speaking(_language(scope)):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status, name = time.perf_counter(), 0, _id(scope)
        scope.setdefault("state", {})["request_id"] = name

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = list(message.get("headers", ()))
                present = {key for key, _ in headers}
                headers += [pair for pair in _ENCODED if pair[0] not in present]
                headers.append((b"x-request-id", name.encode("ascii")))
                if self.service.draining and b"connection" not in present:
                    headers.append((b"connection", b"close"))
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except ClientLeft:
            begun_answer, status = status, LEFT
            if begun_answer:
                raise  # the connection of an answer that is not whole must be closed
        except asyncio.CancelledError:
            if status or not self.service.draining:
                raise
            why = in_language("it is stopping", "服务器正在停止")
            await failure(Busy(why=why, seconds=5))(scope, receive, sent)
        except Exception as error:
            journal.say("unforeseen", level="error", id=name, kind=type(error).__name__, where=_where(error))
            if status:
                raise
            await failure(error, scope["path"])(scope, receive, sent)
        finally:
            self._tell(scope, name, status, time.perf_counter() - begun)

    def _tell(self, scope: Scope, name: str, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "(none)")
        self.service.metrics.request(path, status, seconds)
        told = scope["state"].get("told", {})
        journal.say(
            "request", id=name, method=scope["method"], route=path, status=status, seconds=round(seconds, 6), **told
        )  # fmt: skip


def _id(scope: Scope) -> str:
    """The client's own id where it is harmless, else a new one."""
    given = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"x-request-id"), "")
    return given if _ID.fullmatch(given) else os.urandom(16).hex()


def _language(scope: Scope) -> str | None:
    """Of the languages that the client reads the one that it prefers and we speak (RFC 9110, section 12.5.4); None: it names none of ours."""
    given = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"accept-language"), "")
    found = [match.groups(default="1") for part in given.lower().split(",")[:20] if (match := _TONGUE.fullmatch(part))]
    known = [(float(weight), name) for name, weight in found if float(weight)]
    return max(known, key=lambda one: one[0])[1] if known else None


def _where(error: Exception) -> list[str]:
    """File, line and function of each frame: a traceback without values."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-8:]]
