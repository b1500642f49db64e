"""The way past FastAPI's machinery, which matches, validates and injects for 0.3 ms a request: routes that take the request alone, at a
path without parameters, need none of it. FastAPI still knows them, for /openapi.json and for every method that they do not take."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from fastapi.routing import APIRoute, APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from zhuji.serving.failures import FORESEEN, failure

Endpoint = Callable[[Request], Awaitable[Response]]
Routes = Mapping[tuple[str, str], APIRoute]


def direct(routers: Iterable[APIRouter]) -> Routes:
    """The routes that may be called at once, by method and path."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute) and _plain(route)]
    return {(method, route.path): route for route in routes for method in route.methods or ()}


class Shortcut:
    """Calls what is in `routes` itself and leaves everything else to `app`."""

    def __init__(self, app: ASGIApp, routes: Routes) -> None:
        self.app, self.routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        try:
            response = await cast(Endpoint, route.endpoint)(Request(scope, receive))
        except FORESEEN as error:
            response = failure(error, scope["path"])
        await response(scope, receive, send)


def _plain(route: APIRoute) -> bool:
    taken = list(inspect.signature(route.endpoint, eval_str=True).parameters.values())
    kinds: list[Any] = [one.annotation for one in taken]
    return (
        kinds == [Request] and not route.dependencies and "{" not in route.path and inspect.iscoroutinefunction(route.endpoint)
    )
