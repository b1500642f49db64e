"""The ASGI application: routes found by walking their folder, behind three doors (`outer`, `entrance`, `bodies`)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from zhuji.serving import routes
from zhuji.serving.bodies import Bodies
from zhuji.serving.entrance import Entrance
from zhuji.serving.failures import FORESEEN, SHAPE, failure
from zhuji.serving.outer import Outer
from zhuji.serving.service import Service
from zhuji.serving.settings import ServeSettings
from zhuji.serving.shortcut import Shortcut, direct
from zhuji.version import __version__

_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request cannot be answered.", "content": {"application/json": {"schema": SHAPE}}},
    "503": {"description": "Busy, or too late; see Retry-After.", "content": {"application/json": {"schema": SHAPE}}},
}


def create(settings: ServeSettings, service: Service | None = None) -> FastAPI:
    """The application; all models are open when it comes back. Raises what opening raises.

    Its lifespan watches for new versions, and at its end settles what was accepted."""
    served = service or Service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(served.watch())
        try:
            yield
        finally:
            watching.cancel()
            await served.close()

    app = _House(
        title="Zhuji", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False,
        responses=_ERRORS, description="Answers by models made with Zhuji (筑基).",
    )  # fmt: skip
    app.state.service = served
    modules = [importlib.import_module(f"{routes.__name__}.{module.name}") for module in pkgutil.iter_modules(routes.__path__)]
    routers = [module.router(served) for module in modules]
    for router in routers:
        app.include_router(router)
    for kind in FORESEEN:
        app.add_exception_handler(kind, _answer_failure)
    app.doors = lambda inside: Outer(Entrance(Bodies(Shortcut(inside, direct(routers)), settings), settings), served)
    return app


class _House(FastAPI):
    """`doors` stand before all that FastAPI puts around its routes itself."""

    doors: Callable[[ASGIApp], ASGIApp]

    def build_middleware_stack(self) -> ASGIApp:
        return self.doors(super().build_middleware_stack())


async def _answer_failure(request: Request, error: Exception) -> Response:
    return failure(error, request.url.path)
