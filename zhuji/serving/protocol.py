"""HTTP on one connection: uvicorn's, with bounds on what it leaves unbounded (how long a request's head may take, how many connections
there may be) and with errors of our shape."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import Response
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from zhuji.core.log import in_language
from zhuji.core.refusals import Busy, Refused
from zhuji.serving.failures import failure
from zhuji.serving.outer import HEADERS
from zhuji.serving.settings import ServeSettings


def protocol_for(settings: ServeSettings) -> type[asyncio.Protocol]:
    """The protocol of a server with these bounds; uvicorn makes one for each connection."""

    class Protocol(_Bounded):
        def __init__(self, config: Config, **more: Any) -> None:
            super().__init__(config, **more)
            self.bounds = settings

    return Protocol


HEAD = 64 << 10
"""Bytes of a request's line and headers, about: what came in one piece is read whole."""


class _Bounded(HttpToolsProtocol):
    """A timer runs while the head of a request is awaited: single bytes that drip in do not start it again."""

    bounds: ServeSettings
    _patience: asyncio.TimerHandle | None = None
    _in_head = True
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self._refuse(failure(Busy(why=in_language("it has too many connections", "连接数过多"), seconds=1)))
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head = self._head + len(data) if self._in_head else 0
        if self._head > HEAD:
            self.send_400_response("too long")
        elif self._in_head and self._unanswering:
            self._wait_for_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        rule = in_language("a request must be valid HTTP/1.1", "请求须为有效的 HTTP/1.1")
        fix = in_language("send a request line and headers as RFC 9112 has them", "请按 RFC 9112 发送请求行和请求头")
        self._refuse(failure(Refused(rule=rule, fix=fix)))

    def _wait_for_head(self) -> None:
        if self._patience is None and not self.transport.is_closing():
            self._patience = self.loop.call_later(self.bounds.body_timeout, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        limit = f"{self.bounds.body_timeout:g}"
        rule = in_language(f"the head of a request must come within {limit} s", f"请求头须在 {limit} 秒内到达")
        self._refuse(failure(Refused(rule=rule, fix=in_language("send it at once", "请一次发送完整"), status=408)))

    def _refuse(self, response: Response) -> None:
        """Say why, and close: what follows on this connection cannot be understood, or is not wanted."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if self._unanswering or not self.cycle.response_started:
            headers = [*response.raw_headers, *((name.lower().encode(), value.encode()) for name, value in HEADERS.items())]
            lines = [name + b": " + value + b"\r\n" for name, value in [*headers, (b"connection", b"close")]]
            self.transport.write(b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)]))
        self.transport.close()

    @property
    def _unanswering(self) -> bool:
        """No request is being answered."""
        return self.cycle is None or self.cycle.response_complete
