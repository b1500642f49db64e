"""A server in this process, or in several that share its port: how it begins, how it stops and what becomes of a process that dies.

Told to stop (SIGTERM, Ctrl-C) it takes no new connection, answers every request that was accepted, and ends with 0 within `drain`
seconds. A worker that dies takes with it only the requests that were in its hands: their connections break; the others go on, and
another one takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import uvicorn

from zhuji.core.files import os_reason
from zhuji.core.log import in_language
from zhuji.core.refusals import CannotListen
from zhuji.serving import journal
from zhuji.serving.app import create
from zhuji.serving.entrance import keys_of
from zhuji.serving.memory import steady
from zhuji.serving.protocol import protocol_for
from zhuji.serving.settings import ServeSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

LINGER = 1.0
"""Seconds in which a connection that is already there may still bring the request that its client is just sending."""

Ready = Callable[[str, list[dict[str, Any]]], None]
"""Hears the server's address and its models once it takes requests."""


def run(settings: ServeSettings, ready: Ready = lambda url, models: None) -> None:
    """Serve until told to stop. Raises CannotListen, and what opening raises."""
    if not settings.local and not keys_of(settings):
        told = in_language(f"no API keys: whoever reaches {settings.host} may ask; see ZHUJI_API_KEYS",
                           f"未设置 API 密钥：能访问 {settings.host} 的任何人都可以提问；参见 ZHUJI_API_KEYS")  # fmt: skip
        journal.say("no_keys", level="warning", message=told)
    listener = bound(settings)
    url = url_of(settings.host, listener.getsockname()[1])
    if settings.workers > 1:
        from zhuji.serving.supervisor import supervise

        supervise(settings, listener, lambda models: ready(url, models))
    else:
        steady()
        with contextlib.closing(listener):
            app = create(settings)
            Server(app, settings, lambda models: ready(url, models)).run(sockets=[listener])


def bound(settings: ServeSettings) -> socket.socket:
    """A socket at the server's address that does not listen yet. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # By this number the event loop knows connections on which nothing may wait to be sent (Nagle's algorithm): 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise CannotListen(where=f"{settings.host}:{settings.port}", why=os_reason(error)) from None
    return listener


def url_of(host: str, port: int) -> str:
    """The address as a person on this machine asks for it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - how it is written
    return f"http://{shown}:{port}"


class Server(uvicorn.Server):
    """uvicorn's, but that it stops with 0, in the order that leaves nobody without an answer. `ready` hears of its models."""

    def __init__(self, app: FastAPI, settings: ServeSettings, ready: Callable[[list[dict[str, Any]]], None]) -> None:
        config = uvicorn.Config(
            app, host=settings.host, port=settings.port, workers=settings.workers, log_config=None, server_header=False,
            http=protocol_for(settings), ws="none", lifespan="on", timeout_keep_alive=settings.keep_alive,  # type: ignore[arg-type]
            timeout_graceful_shutdown=settings.drain, proxy_headers=False, access_log=False,  # type: ignore[arg-type]
        )  # fmt: skip
        super().__init__(config)
        self.service, self._ready = app.state.service, ready
        _journal_of_uvicorn()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        self._ready([{"name": one.name, "version": one.version, **one.facts.as_dict()} for one in self.service.models()])

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Connections that the kernel has taken are accepted, no new ones are; those without a request have a moment to bring it."""
        journal.say("draining", seconds=self.config.timeout_graceful_shutdown)
        self.service.draining = True
        await asyncio.sleep(0.01)
        for server in self.servers:
            server.close()
        until = time.monotonic() + min(LINGER, self.service.settings.drain / 2)
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
        journal.say("stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Being told to stop is no failure: the signal is not raised again when all is done."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only a main thread may listen to signals
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _journal_of_uvicorn() -> None:
    """What uvicorn has to say goes into the journal, without tracebacks: they hold values."""

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            journal.say("http", level="warning", message=record.getMessage().strip())

    logger = logging.getLogger("uvicorn.error")
    logger.handlers, logger.propagate = [Told(logging.WARNING)], False
