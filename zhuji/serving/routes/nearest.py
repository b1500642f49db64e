"""The rows of an index that are nearest to an input."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused
from zhuji.serving import schemas
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service


class Asked(BaseModel):
    """`k` rows at most."""

    model_config = ConfigDict(extra="forbid")

    input: str
    model: str | None = None
    k: Annotated[int, Field(ge=1, le=100)] = 5


def router(service: Service) -> APIRouter:
    """`/nearest`."""
    routes = APIRouter(tags=["nearest"])

    @routes.post("/nearest", summary="Rows that are alike", **schemas.nearest(service))
    async def nearest(asked: Asked) -> Response:
        begun = time.perf_counter()
        hits = await service.nearest(asked.model, asked.input, asked.k)
        if hits is None:
            rule = in_language("the server must have been given an index of this model", "服务器启动时须指定该模型的索引")
            fix = "zhuji index RUN ROWS --to FOLDER; zhuji serve RUN --index FOLDER"
            raise Refused(rule=rule, fix=fix, status=404, param="model")
        rows = [{"text": hit.input, "label": hit.label, "likeness": hit.score} for hit in hits]
        return json_response({"rows": rows, "seconds": round(time.perf_counter() - begun, 6)})

    return routes
