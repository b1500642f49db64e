"""One way to meet each error of serving, through the code that a person or a client would call."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.core.provocations_of_runs import PROVOCATIONS, Patch, provokes

__all__ = ["PROVOCATIONS"]


def served(work: Callable[[Any], Awaitable[object]], **settings: Any) -> object:
    """What `work` raises or makes of a service."""
    from tests.serving import house
    from zhuji.serving.service import Service

    async def whole() -> object:
        service = Service(house.settings(**settings))
        try:
            return await work(service)
        finally:
            await service.close()

    return asyncio.run(whole())


def admitted(headers: list[tuple[bytes, bytes]], **settings: Any) -> object:
    """What the entrance says to two requests."""
    from tests.serving import house
    from zhuji.serving.entrance import Entrance

    entrance = Entrance(lambda *_: None, house.settings(**settings))  # type: ignore[arg-type]
    scope = {"path": "/models", "headers": [(b"host", b"localhost"), *headers]}
    return [entrance._admit(scope) for _ in range(2)]


@provokes("Refused")
def _(folder: Path, patch: Patch) -> object:
    return admitted([(b"origin", b"https://elsewhere.example")])


@provokes("NotAnswerable")
def _(folder: Path, patch: Patch) -> object:
    return served(lambda service: service.answer(None, [3]))


@provokes("TooLarge")
def _(folder: Path, patch: Patch) -> object:
    return served(lambda service: service.answer(None, ["a", "b"]), request_rows=1)


@provokes("NoSuchModel")
def _(folder: Path, patch: Patch) -> object:
    return served(lambda service: service.answer("nobody", ["a"]))


@provokes("NoKey")
def _(folder: Path, patch: Patch) -> object:
    patch.setenv("ZHUJI_API_KEYS", "secret")
    return admitted([])


@provokes("TooOften")
def _(folder: Path, patch: Patch) -> object:
    return admitted([], rate=0.1)


@provokes("Busy")
def _(folder: Path, patch: Patch) -> object:
    async def two(service: Any) -> object:
        return await asyncio.gather(*(service.answer(None, ["a", "b"]) for _ in range(2)))

    return served(two, queue_rows=3)


@provokes("TooLate")
def _(folder: Path, patch: Patch) -> object:
    import time

    return served(lambda service: service.run(None, lambda predictor: time.sleep(0.3)), timeout=0.05)


@provokes("CannotListen")
def _(folder: Path, patch: Patch) -> object:
    from tests.serving import house
    from zhuji.serving import run

    class Taken:
        def __init__(self, *_: object) -> None: ...
        def setsockopt(self, *_: object) -> None: ...
        def close(self) -> None: ...
        def bind(self, place: object) -> None:
            raise OSError(errno.EADDRINUSE, "Address already in use")

    patch.setattr(run.socket, "socket", Taken)
    return run.bound(house.settings())
