"""Texts that a model goes on with: whole, or piece by piece as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused, TooLarge
from zhuji.model.generate import GenerateSettings
from zhuji.model.predictor import Predictor
from zhuji.serving import schemas
from zhuji.serving.bodies import json_of
from zhuji.serving.events import event, pieces_of
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.tools import generate as writing


def router(service: Service) -> APIRouter:
    """`/generate`."""
    routes = APIRouter(tags=["generate"])

    @routes.post("/generate", summary="How a model goes on with a text", **schemas.generate(service))
    async def generate(request: Request) -> Response:
        begun = time.perf_counter()
        name, prompt, settings, streamed = _asked(json_of(request), service)
        served = service.find(name)

        def produce(predictor: Predictor) -> Iterator[str]:
            return writing.stream(predictor, prompt, settings)

        def told(text: str) -> dict[str, Any]:
            about = {"model": served.name, "version": served.version, "prompt": prompt}
            return {**about, "text": text, "seconds": round(time.perf_counter() - begun, 6)}

        if settings.how == "beam" and not streamed:
            whole = await service.run(name, lambda predictor: writing.generate(predictor, [prompt], settings))
            return json_response(told(whole.texts[0].text))
        pieces = service.stream(name, produce)
        if not streamed:
            return json_response(told("".join([piece async for piece in pieces])))

        async def events() -> AsyncIterator[bytes]:
            text = ""
            async for piece in begun_pieces:
                text += piece
                yield event({"text": piece})
            yield event(told(text), "done")

        begun_pieces = await pieces_of(pieces)
        return StreamingResponse(events(), media_type="text/event-stream")

    return routes


def _asked(asked: Any, service: Service) -> tuple[str | None, str, GenerateSettings, bool]:
    """Raises Refused, TooLarge and what settings raise."""
    asked = dict(asked) if isinstance(asked, dict) else {}
    name, prompt, streamed = asked.pop("model", None), asked.pop("prompt", None), asked.pop("stream", False)
    if not isinstance(prompt, str) or not isinstance(name, str | None) or not isinstance(streamed, bool):
        rule = in_language("a request must be an object with a prompt", "请求须为含有 prompt 的对象")
        raise Refused(rule=rule, fix='{"prompt": "…", "stream": false}', status=422, param="prompt")
    if isinstance(asked.get("json_schema"), dict):
        asked["json_schema"] = json.dumps(asked["json_schema"])
    if isinstance(asked.get("stop"), str):
        asked["stop"] = [asked["stop"]]
    settings = GenerateSettings.parse(asked)
    if settings.max_units > service.settings.written_units:
        what = in_language("max_units", "max_units ")
        raise TooLarge(what=what, limit=service.settings.written_units, setting="written_units", param="max_units", status=400)
    return name, prompt, settings, streamed
