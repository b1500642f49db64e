"""Answers for inputs: as JSON, or row by row for a file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from zhuji.core.contracts import Prediction
from zhuji.core.errors import Refused
from zhuji.core.log import in_language
from zhuji.serving.bodies import json_of
from zhuji.serving.failures import json_response
from zhuji.serving.service import Answers, Service


def router(service: Service) -> APIRouter:
    """`/predict`."""
    routes = APIRouter(tags=["predict"])

    @routes.post("/predict", summary="What a model answers")
    async def predict(request: Request) -> Response:
        asked = json_of(request)
        name, inputs = _asked(asked)
        return json_response(_answered(await service.answer(name, inputs), inputs))

    return routes


def _asked(asked: Any) -> tuple[str | None, list[Any]]:
    if not isinstance(asked, dict) or ("input" in asked) == ("inputs" in asked):
        raise Refused(rule=in_language("a request must have either input or inputs", "请求须有 input 或 inputs 之一"), fix="")
    inputs = asked["inputs"] if "inputs" in asked else [asked["input"]]
    return asked.get("model"), inputs


def _answered(answers: Answers, inputs: list[Any]) -> dict[str, Any]:
    served = answers.served
    rows = [shown(prediction) for prediction in answers.predictions]
    if served.facts.answers == "tags":
        rows = [{**row, "words": served.predictor.words(raw)} for row, raw in zip(rows, inputs, strict=True)]
    return {"model": served.name, "version": served.version, "predictions": rows, "seconds": round(answers.seconds, 6)}


def shown(prediction: Prediction) -> dict[str, Any]:
    """A prediction as JSON has it."""
    return {"answer": prediction.answer, "score": prediction.score, "scores": prediction.scores}
