"""What was counted, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from zhuji.serving.metrics import TYPE
from zhuji.serving.service import Service


def router(service: Service) -> APIRouter:
    """`/metrics`."""
    routes = APIRouter(tags=["metrics"])

    @routes.get("/metrics", summary="Counts in Prometheus' text format", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": TYPE})

    return routes
