"""The playground at `/` and its files below `/page/`: static, from the folder `serving/page`, sealed by their headers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

FOLDER = Path(__file__).parents[1] / "page"
TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".json": "application/json", ".svg": "image/svg+xml",
}  # fmt: skip
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:", "media-src blob:",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
))  # fmt: skip
"""Nothing but this server's own files: no foreign origin, no inline script or style, and no text that becomes markup."""
SEALED = {
    "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache",
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """A file of the page with the headers it goes out with."""

    body: bytes
    headers: Mapping[str, str]


def files(folder: Path = FOLDER) -> dict[str, File]:
    """All files of the page by their path below `folder`: only these are ever sent, whatever a request names."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in TYPES:
            body = path.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            found[path.relative_to(folder).as_posix()] = File(body, {**SEALED, "ETag": tag, "Content-Type": TYPES[path.suffix]})
    return found


def router(service: Any) -> APIRouter:
    """The routes; they know no model, so nothing is asked of `service`."""
    sent = files()
    routes = APIRouter(include_in_schema=False)

    def answer(name: str, request: Request) -> Response:
        file = sent.get(name)
        if file is None:
            return Response(status_code=404, headers=SEALED)
        if request.headers.get("if-none-match") == file.headers["ETag"]:
            return Response(status_code=304, headers=file.headers)
        return Response(file.body, headers=file.headers)

    @routes.get("/")
    async def page(request: Request) -> Response:
        return answer("index.html", request)

    @routes.get("/page/{name:path}")
    async def part(name: str, request: Request) -> Response:
        return answer(name, request)

    return routes
