"""Which models are served, and what they answer."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from zhuji.serving.failures import json_response
from zhuji.serving.service import Service


def router(service: Service) -> APIRouter:
    """`/models`."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models", summary="The models that are served")
    async def models() -> Response:
        return json_response(
            {"models": [{"name": one.name, "version": one.version, **one.facts.as_dict()} for one in service.models()]}
        )

    return routes
