"""What in an input speaks for its answer."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from zhuji.data.ledger import Ledger
from zhuji.model.explain import Explained
from zhuji.model.heat import Heat
from zhuji.model.predictor import Predictor
from zhuji.serving import schemas
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.tools.explain import ExplainedRow, explain


class Asked(BaseModel):
    """`input`: a text, or a picture as base64. `about`: the class, of tags the word, of objects the number, to explain in place of what was answered."""

    model_config = ConfigDict(extra="forbid")

    input: str | dict[str, str]
    model: str | None = None
    about: str | None = None


def router(service: Service) -> APIRouter:
    """`/explain`."""
    routes = APIRouter(tags=["explain"])

    @routes.post("/explain", summary="What speaks for an answer", **schemas.explain(service))
    async def explained(asked: Asked) -> Response:
        begun, served = time.perf_counter(), service.find(asked.model)
        (raw,) = service.sound(asked.model, [asked.input])

        def work(predictor: Predictor) -> tuple[Any, ExplainedRow]:
            (row,) = explain(predictor, [raw], Ledger(), asked.about)
            return next(predictor.predict([raw])), row

        prediction, row = await service.run(asked.model, work)
        told = list(map(_told, row.explained))
        first = told[0] if told else {"about": None, "of": "", "parts": [], "complete": True}
        answer = {"answer": prediction.answer, "score": prediction.score, "scores": prediction.scores}
        about = {"model": served.name, "version": served.version, "prediction": answer}
        return json_response({**about, **first, "others": told[1:], "seconds": round(time.perf_counter() - begun, 6)})

    return routes


def _told(one: Explained | Heat) -> dict[str, Any]:
    """Parts of a text; or a map over a picture, which has none."""
    told = {"about": one.about, "of": one.of, "complete": one.complete}
    if isinstance(one, Heat):
        return {
            **told,
            "parts": [],
            "map": one.map.tolist(),
            "covers": list(one.covers),
            "size": list(one.size),
            "method": one.method,
        }
    return {**told, "parts": [{"text": part.text, "weight": part.weight} for part in one.parts]}
