"""Routes that are called at once answer as FastAPI would have them answer."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from zhuji.core.refusals import NoSuchModel
from zhuji.serving.shortcut import Shortcut, direct


def made() -> APIRouter:
    routes = APIRouter()

    @routes.post("/plain")
    async def plain(request: Request) -> Response:
        return Response(await request.body())

    @routes.get("/bad")
    async def bad(request: Request) -> Response:
        raise NoSuchModel(name="a", choices="b", param="model")

    @routes.get("/gone")
    async def gone(request: Request) -> Response:
        raise HTTPException(410, "gone")

    @routes.get("/of/{name}")
    async def of(request: Request) -> Response:
        raise AssertionError

    @routes.get("/asks")
    async def asks(request: Request, wanted: int) -> Response:
        raise AssertionError

    @routes.get("/depends", dependencies=[Depends(lambda: None)])
    async def depends(request: Request) -> Response:
        raise AssertionError

    @routes.get("/waits")
    def waits(request: Request) -> Response:
        raise AssertionError

    return routes


def asked(method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body; 0 where it was left to the application behind."""
    sent: list[dict] = []

    async def behind(scope, receive, send):
        await send({"type": "http.response.start", "status": 0, "headers": []})
        await send({"type": "http.response.body", "body": b"behind"})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "state": {}}
    asyncio.run(Shortcut(behind, direct([made()]))(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_only_routes_that_take_the_request_alone_are_called_at_once():
    assert set(direct([made()])) == {("POST", "/plain"), ("GET", "/bad"), ("GET", "/gone")}


def test_they_answer_and_all_else_is_left_to_the_application():
    assert asked("POST", "/plain", b"a body") == (200, b"a body")
    for method, path in (("GET", "/plain"), ("POST", "/plain/"), ("GET", "/of/a"), ("GET", "/none")):
        assert asked(method, path) == (0, b"behind")


def test_what_they_refuse_has_our_shape():
    status, body = asked("GET", "/bad")
    assert status == 404 and b'"no_such_model"' in body
    assert asked("GET", "/gone")[0] == 410
