"""What in an input speaks for its answer."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from zhuji.data.ledger import Ledger
from zhuji.model.predictor import Predictor
from zhuji.serving import schemas
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.tools.explain import ExplainedRow, explain


class Asked(BaseModel):
    """`about`: the class, or of tags the word, to explain in place of what was answered."""

    model_config = ConfigDict(extra="forbid")

    input: str
    model: str | None = None
    about: str | None = None


def router(service: Service) -> APIRouter:
    """`/explain`."""
    routes = APIRouter(tags=["explain"])

    @routes.post("/explain", summary="What speaks for an answer", **schemas.explain(service))
    async def explained(asked: Asked) -> Response:
        begun, served = time.perf_counter(), service.find(asked.model)
        service.sound(asked.model, [asked.input])

        def work(predictor: Predictor) -> tuple[Any, ExplainedRow]:
            (row,) = explain(predictor, [asked.input], Ledger(), asked.about)
            return next(predictor.predict([asked.input])), row

        prediction, row = await service.run(asked.model, work)
        told = [
            {"about": one.about, "of": one.of, "parts": [{"text": part.text, "weight": part.weight} for part in one.parts],
             "complete": one.complete}
            for one in row.explained
        ]  # fmt: skip
        first = told[0] if told else {"about": None, "of": "", "parts": [], "complete": True}
        answer = {"answer": prediction.answer, "score": prediction.score, "scores": prediction.scores}
        about = {"model": served.name, "version": served.version, "prediction": answer}
        return json_response({**about, **first, "others": told[1:], "seconds": round(time.perf_counter() - begun, 6)})

    return routes
