"""What clients of OpenAI ask for besides texts: the models, and embeddings.

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Body, Response
from pydantic import ConfigDict

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused, TooLarge
from zhuji.model.pooled import encoded
from zhuji.model.predictor import Predictor
from zhuji.serving._openai import OpenAIRequest, Texts
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served


class EmbeddingsRequest(OpenAIRequest):
    """`input`: one text or a list of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "pets", "input": ["purr meow", "bark leash"]}]})

    model: str
    input: Texts
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


def router(service: Service) -> APIRouter:
    """`/v1/models` and `/v1/embeddings`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.get("/models")
    async def models() -> dict[str, Any]:
        """The models of this server."""
        return {"object": "list", "data": [_listed(served) for served in service.models()]}

    @routes.get("/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        """One model."""
        return _listed(service.find(name))

    @routes.post("/embeddings", response_class=Response)
    async def embeddings(asked: Annotated[EmbeddingsRequest, Body()]) -> Response:
        """A vector for each text: what the model's head would pool from the encoder's last states. A text longer than the model reads is
        cut, as everywhere; `usage` counts the units that were read."""
        asked.refuse_unknown()
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        if len(texts) > service.settings.request_rows:
            what = in_language("the number of texts", "文本数量")
            raise TooLarge(what=what, limit=service.settings.request_rows, setting="request_rows", param="input")
        width = service.find(asked.model).facts.width
        if asked.dimensions not in (None, width):
            rule = in_language(
                f"dimensions must be {width}, as this model's vectors have", f"dimensions 必须是该模型向量的 {width} 维"
            )
            raise Refused(rule=rule, fix="", value=asked.dimensions, param="dimensions")
        vectors = await service.embed(asked.model, texts)
        units = await service.run(asked.model, lambda predictor: _units(predictor, texts))
        body = {
            "object": "list", "model": asked.model,
            "data": [
                {"object": "embedding", "index": place, "embedding": _written(vector, asked.encoding_format)}
                for place, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": units, "total_tokens": units},
        }  # fmt: skip
        return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

    return routes


def _listed(served: Served) -> dict[str, Any]:
    return {"id": served.name, "object": "model", "created": int(served.opened), "owned_by": "zhuji"}


def _written(vector: np.ndarray, form: str) -> Any:
    vector = np.ascontiguousarray(vector, "<f4")
    return base64.b64encode(vector.tobytes()).decode() if form == "base64" else vector


def _units(predictor: Predictor, texts: list[str]) -> int:
    return sum(row.length for row in encoded(predictor, texts))
