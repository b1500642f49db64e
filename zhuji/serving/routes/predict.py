"""Answers for inputs: JSON, or a file of rows that is answered row by row as JSON or as CSV."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from zhuji.core.contracts import Prediction
from zhuji.core.log import in_language
from zhuji.core.refusals import Refused
from zhuji.data.sounds import as_wav
from zhuji.serving import schemas, uploads
from zhuji.serving.bodies import json_of
from zhuji.serving.failures import json_response
from zhuji.serving.service import Answers, Service
from zhuji.serving.shelf import Served


def router(service: Service) -> APIRouter:
    """`/predict`."""
    routes = APIRouter(tags=["predict"])

    @routes.post("/predict", summary="What a model answers", **schemas.predict(service))
    async def predict(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            name, inputs = _asked(json_of(request))
            return _shown(await service.answer(name, inputs), inputs)
        if kind == "multipart/form-data":
            return await _answered_file(service, request, await _form(request))
        if kind in uploads.KINDS:
            asked = request.query_params
            file = _File(await request.body(), uploads.KINDS[kind], asked.get("model"), asked.getlist("text"))
            return await _answered_file(service, request, file)
        rule = in_language(
            f"the body must be JSON, a form or rows, but is {kind[:40]!r}",
            f"请求体须为 JSON、表单或数据行，实际为 {kind[:40]!r}",
        )
        fix = in_language("send the header Content-Type: application/json", "请发送请求头 Content-Type: application/json")
        raise Refused(rule=rule, fix=fix, status=415, param="Content-Type")

    return routes


def _asked(asked: Any) -> tuple[str | None, list[Any]]:
    """The model's name and the inputs of a JSON body. Raises Refused."""
    if not isinstance(asked, dict) or ("input" in asked) == ("inputs" in asked):
        rule = in_language("a request must be an object with either input or inputs", "请求须为含有 input 或 inputs 之一的对象")
        raise Refused(rule=rule, fix='{"input": "…"}', status=422)
    inputs = asked["inputs"] if "inputs" in asked else [asked["input"]]
    for param, value, kind in (("model", asked.get("model", ""), str), ("inputs", inputs, list)):
        if not isinstance(value, kind):
            rule = in_language(f"{param} must be a {kind.__name__}", f"{param} 的类型须为 {kind.__name__}")
            raise Refused(rule=rule, fix='{"model": "…", "inputs": ["…"]}', status=422, param=param)
    return asked.get("model"), inputs


def _shown(answers: Answers, inputs: Sequence[Any]) -> Response:
    rate = answers.served.predictor.model.modality.spec.rate
    rows = [shown(*each, rate) for each in zip(answers.predictions, words_of(answers.served, inputs), strict=True)]
    return json_response(_about(answers.served, answers.seconds, {"predictions": rows}))


def shown(prediction: Prediction, words: tuple[str, ...] = (), rate: int = 0) -> dict[str, Any]:
    """A prediction as JSON has it; `words`: what tags stand for; `rate`: samples a second of an answer that is a sound, which stands as `sound`, a WAV file
    in base64. `cut`: seconds at the end of a sound that were not read, where there are any."""
    said: dict[str, Any] = {
        **({"words": words} if words else {}),
        **({"cut": round(prediction.cut, 3)} if prediction.cut else {}),
    }
    if prediction.waves is not None:
        said["sound"] = base64.b64encode(as_wav(prediction.waves.sound, rate)).decode()
    return {"answer": prediction.answer, "score": prediction.score, "scores": prediction.scores, **said}


def words_of(served: Served, inputs: Sequence[Any]) -> list[tuple[str, ...]]:
    """The words that a model of tags answers for; none of another model."""
    tagged = served.facts.answers == "tags"
    return [served.predictor.words(raw) if tagged else () for raw in inputs]


def _about(served: Served, seconds: float, more: dict[str, Any]) -> dict[str, Any]:
    return {"model": served.name, "version": served.version, **more, "seconds": round(seconds, 6)}


class _File:
    def __init__(self, data: bytes, ending: str, model: str | None, text: Sequence[str]) -> None:
        self.data, self.ending, self.model, self.text = data, ending, model, text


async def _form(request: Request) -> _File:
    """Raises Refused."""
    async with request.form(max_files=1, max_fields=20) as form:
        file, model = form.get("file"), form.get("model")
        if not isinstance(file, UploadFile) or not isinstance(model, str | None):
            rule = in_language("a form must have a file named 'file'", "表单须含有名为 file 的文件")
            raise Refused(rule=rule, fix="curl … -F file=@rows.csv", status=422, param="file")
        text = [column for column in form.getlist("text") if isinstance(column, str)]
        return _File(await file.read(), uploads.ending_of(file.filename or ""), model or None, text)


async def _answered_file(service: Service, request: Request, file: _File) -> Response:
    served = await service.opened(file.model)
    kind = uploads.kind_of(file.ending)
    if kind is not None and served.facts.reads == kind.reads:
        one = [kind.medium(data=file.data)]
        return _shown(await service.answer(file.model, one), one)
    limit = service.settings.request_rows
    rows = await service.encode(lambda: uploads.rows_of(served.predictor, file.data, file.ending, file.text, limit))
    inputs = [row.input for row in rows if not row.cause]
    answers = await service.answer(file.model, inputs)
    words = words_of(answers.served, inputs)
    if "text/csv" in request.headers.get("accept", ""):
        text = await service.encode(lambda: uploads.as_csv(rows, answers.predictions, words))
        headers = {"X-Model": quote(served.name), "X-Model-Version": answers.served.version}
        return Response(text, media_type="text/csv", headers=headers)
    found = map(shown, answers.predictions, words)
    told = [{"row": row.number, "input": row.input, **({"error": row.cause} if row.cause else next(found))} for row in rows]
    return json_response(_about(answers.served, answers.seconds, {"predictions": told, "ledger": uploads.ledger_of(rows)}))
