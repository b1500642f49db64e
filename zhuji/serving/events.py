"""Server-sent events (WHATWG HTML, section 9.2): a response that grows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson


def event(data: Any, name: str = "") -> bytes:
    """One event with JSON as its data."""
    said = f"event: {name}\n".encode() if name else b""
    return said + b"data: " + orjson.dumps(data) + b"\n\n"


async def pieces_of(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same pieces, the first of which is there already: what goes wrong before it is raised here, while a status can still tell."""
    first = await anext(pieces, None)

    async def all_of() -> AsyncIterator[str]:
        if first is None:
            return
        yield first
        async for piece in pieces:
            yield piece

    return all_of()
