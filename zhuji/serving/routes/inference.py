"""The Open Inference Protocol v2, as Triton, KServe and their clients speak it over HTTP, with its binary tensor data extension.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md. Its errors have its own shape, `{"error": "text"}`.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from zhuji.core.log import in_language
from zhuji.core.refusals import NoSuchModel, Refused
from zhuji.serving._tensors import TEXT, described, read, tensors, write
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served
from zhuji.version import __version__

_ONE = {"pictures": "picture", "sounds": "sound"}
"""What an input that is a file is called in JSON, by what a model reads."""

HEADER = "Inference-Header-Content-Length"
PLATFORM = "pytorch_zhuji"
"""The protocol's form is `<project>_<format>`."""


def router(service: Service) -> APIRouter:
    """Server and model metadata, health, and `infer`."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol v2"])

    @routes.get("")
    async def server() -> dict[str, Any]:
        """What this server is and which extensions it speaks."""
        return {"name": "zhuji", "version": __version__, "extensions": ["binary_tensor_data"]}

    @routes.get("/health/live")
    async def live() -> dict[str, bool]:
        """Whether the process answers."""
        return {"live": True}

    @routes.get("/health/ready")
    async def ready(response: Response) -> dict[str, bool]:
        """Whether all models can be asked."""
        response.status_code = 503 if service.draining else 200
        return {"ready": not service.draining}

    for version in ("", "/versions/{version}"):
        _model_routes(routes, service, version)
    return routes


def _model_routes(routes: APIRouter, service: Service, suffix: str) -> None:
    place = f"/models/{{name}}{suffix}"

    @routes.get(place)
    async def model(name: str, version: str = "") -> dict[str, Any]:
        """Inputs and outputs of a model."""
        served = _found(service, name, version)
        facts = served.facts
        return {
            "name": served.name, "versions": [served.version], "platform": PLATFORM,
            "inputs": [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}], "outputs": _outputs(served),
            "properties": {"task": facts.task, "reads": facts.reads, "answers": facts.answers, "labels": json.dumps(facts.labels, ensure_ascii=False)},
        }  # fmt: skip

    @routes.get(f"{place}/ready")
    async def model_ready(name: str, version: str = "") -> dict[str, Any]:
        """Whether a model can be asked."""
        return {"name": _found(service, name, version).name, "ready": True}

    @routes.post(f"{place}/infer", openapi_extra={"requestBody": _body(service)}, response_class=Response)
    async def infer(request: Request, name: str, version: str = "") -> Response:
        """Answers for a batch of texts; of a model of pictures or sounds each is the bytes of one in base64. Whatever follows the JSON of the request are its tensors as bytes, as the header
        Inference-Header-Content-Length says; so it is in the answer where bytes are asked for."""
        facts = _found(service, name, version).facts
        if (encoding := request.headers.get("Content-Encoding", "identity")) != "identity":
            rule = in_language(f"a request must not be compressed, but is {encoding[:20]}", f"请求不得压缩（{encoding[:20]}）")
            raise Refused(rule=rule, fix="", param="Content-Encoding")
        asked = read(await request.body(), request.headers.get(HEADER), service.settings.request_rows)
        inputs = asked.texts if facts.reads == "texts" else [{_ONE[facts.reads]: text} for text in asked.texts]
        answers = await service.answer(name, inputs)
        served = answers.served
        words = [served.predictor.words(text) for text in asked.texts] if served.facts.answers == "tags" else []
        found = tensors(_outputs(served), served.facts.labels, answers.predictions, words)
        head = {"model_name": served.name, "model_version": served.version}
        body, length = write(head, asked, found)
        if length is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type="application/octet-stream", headers={HEADER: str(length)})


def _found(service: Service, name: str, version: str) -> Served:
    served = service.find(name)
    if version and version != served.version:
        raise NoSuchModel(name=f"{name}/versions/{version[:40]}", choices=f"{name}/versions/{served.version}", param="version")
    return served


def _outputs(served: Served) -> list[dict[str, Any]]:
    return described(served.facts.answers, served.facts.labels, served.facts.answer_width)


def _body(service: Service) -> dict[str, Any]:
    """What OpenAPI says of a request of `infer`; its example is one that this server answers."""
    example = next((served.facts.example for served in service.models() if isinstance(served.facts.example, str)), "a text")
    rows = {"name": TEXT, "shape": [1], "datatype": "BYTES", "data": [example]}
    tensor = {
        "type": "object", "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"const": TEXT}, "datatype": {"const": "BYTES"}, "data": {"type": "array", "items": {"type": "string"}},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 1},
            "parameters": {"type": "object"},
        },
    }  # fmt: skip
    schema = {
        "type": "object", "required": ["inputs"],
        "properties": {
            "id": {"type": "string"}, "parameters": {"type": "object"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"],
                                                   "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}}}},
        },
    }  # fmt: skip
    return {"required": True, "content": {"application/json": {"schema": schema, "example": {"id": "1", "inputs": [rows]}}}}
