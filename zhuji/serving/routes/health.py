"""Probes: whether the process lives, and whether it wants more requests."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from zhuji.serving.failures import json_response
from zhuji.serving.service import Service


def router(service: Service) -> APIRouter:
    """`/health/live`, `/health/ready`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live", summary="Whether the process lives")
    async def live() -> Response:
        return json_response({"live": True})

    @routes.get("/health/ready", summary="Whether it takes requests", responses={503: {"description": "It is stopping."}})
    async def ready() -> Response:
        return json_response({"ready": not service.draining}, 503 if service.draining else 200)

    return routes
