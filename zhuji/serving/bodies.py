"""The third door: a body is read whole before a route sees it, within its bounds of size, time and depth; and a client that leaves
ends what was done for it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zhuji.core.log import in_language
from zhuji.core.quantity import bytes_text
from zhuji.core.refusals import Busy, Refused, ServingError, TooLarge
from zhuji.serving.failures import failure
from zhuji.serving.outer import ClientLeft
from zhuji.serving.settings import ServeSettings

LINGER = 4
"""Up to so many times the largest body is read and forgotten where one is too large: a client that is still sending would not see why."""


def json_of(request: Request) -> Any:
    """The JSON that a request brought, parsed once at the door; None where it brought none."""
    return request.scope["state"].get("json")


class Bodies:
    """Reads a body and lets a route answer it while its client waits."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self.app, self.settings = app, settings
        self.held = 0
        """Bytes of all bodies that are being read or answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reading = _Reading()
        try:
            try:
                await self._read(scope, receive, reading)
                if _is_json(scope) and reading.body:
                    scope["state"]["json"] = self._parsed(reading.body)
            except ServingError as error:
                await self._refuse(error, reading, (scope, receive, send))
                return
            await _Visit(self.app, reading.body, self.settings.body_timeout).answer(scope, receive, send)
        finally:
            self.held -= reading.size

    async def _read(self, scope: Scope, receive: Receive, reading: _Reading) -> None:
        """Raises TooLarge, Busy, Refused for a body that does not come, and ClientLeft."""
        length = next((value for key, value in scope["headers"] if key == b"content-length"), b"")
        reading.length = int(length) if length.isdigit() else 0
        if reading.length > self.settings.body:
            raise self._too_large()
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self.settings.body_timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientLeft
                    part = message.get("body", b"")
                    parts.append(part)
                    reading.size += len(part)
                    reading.whole = not message.get("more_body", False)
                    self.held += len(part)
                    if reading.size > self.settings.body:
                        raise self._too_large()
                    if self.held > self.settings.bodies:
                        raise Busy(why=in_language("too many bodies are held", "占用内存的请求体过多"), seconds=1)
                    if reading.whole:
                        break
        except TimeoutError:
            rule = in_language(
                f"a body must come within {self.settings.body_timeout:g} s",
                f"请求体须在 {self.settings.body_timeout:g} 秒内到达",
            )
            raise Refused(
                rule=rule, fix=in_language("send it faster, or in smaller pieces", "请加快发送，或分批发送"), status=408
            ) from None
        reading.body = b"".join(parts)

    def _too_large(self) -> TooLarge:
        what = in_language("a body", "请求体")
        return TooLarge(what=what, limit=bytes_text(self.settings.body), setting="body")

    def _parsed(self, body: bytes) -> Any:
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise _bad_json(in_language("the body must be valid JSON in UTF-8", "请求体须为 UTF-8 编码的有效 JSON")) from None
        most = self.settings.json_depth
        if body.count(b"[") + body.count(b"{") > most and _deeper(parsed, most):
            raise _bad_json(in_language(f"JSON must be at most {most} levels deep", f"JSON 最多嵌套 {most} 层"))
        return parsed

    async def _refuse(self, error: ServingError, reading: _Reading, asgi: tuple[Scope, Receive, Send]) -> None:
        """What was not read whole cannot be followed by another request on the same connection."""
        response = failure(error, asgi[0]["path"])
        if not reading.whole:
            response.headers["Connection"] = "close"
            if error.status != 408 and reading.length <= LINGER * self.settings.body:
                await _forget(asgi[1], LINGER * self.settings.body, self.settings.body_timeout)
        await response(*asgi)


class _Reading:
    """What came of a body; `length` is what its head says."""

    body: bytes = b""
    length: int = 0
    size: int = 0
    whole: bool = False


async def _forget(receive: Receive, most: int, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while most > 0:
                message = await receive()
                most -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


class _Visit:
    """One request whose body was read: a route answers it while somebody waits for it."""

    def __init__(self, app: ASGIApp, body: bytes, timeout: float) -> None:
        self.app, self.body, self.timeout = app, body, timeout
        self.left = self.answered = False
        self._gone = asyncio.Event()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            self._gone.set()
            if not self.answered:
                self.left = True
                task.cancel()

        async def given() -> Message:
            if self.body is not None:
                body, self.body = self.body, None
                return {"type": "http.request", "body": body, "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self.answered = True
            try:
                async with asyncio.timeout(self.timeout):
                    await send(message)
            except TimeoutError:
                raise ClientLeft from None

        watching = asyncio.create_task(watch())
        try:
            await self.app(scope, given, sent)
        except asyncio.CancelledError:
            if not self.left:
                raise
            task.uncancel()
            raise ClientLeft from None
        finally:
            watching.cancel()


def _is_json(scope: Scope) -> bool:
    kind = next((value for key, value in scope["headers"] if key == b"content-type"), b"")
    kind = kind.partition(b";")[0].strip().lower()
    return kind == b"application/json" or kind.endswith(b"+json")


def _deeper(parsed: Any, most: int) -> bool:
    level = [parsed]
    for _ in range(most + 1):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return False
    return True


def _inside(item: Any) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []


def _bad_json(rule: str) -> Refused:
    return Refused(rule=rule, fix=in_language("send JSON as /openapi.json describes it", "请按 /openapi.json 的描述发送 JSON"))
