"""What `/openapi.json` says of a route: what may be sent and what comes back, with examples from the golden rows, which are true."""

from __future__ import annotations

from typing import Any

from zhuji.model.generate import GenerateSettings
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served

_TEXT = {"type": "string"}
_NAME = {**_TEXT, "description": "Name of the model; the first one by default."}
_OF_FILES = [
    {
        "type": "object", "required": [name], "additionalProperties": False,
        "properties": {name: {**_TEXT, "contentEncoding": "base64"}},
    }
    for name in ("picture", "sound")
]  # fmt: skip
_INPUT = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}, *_OF_FILES]}
_SECONDS = {"type": "number"}


def predict(service: Service) -> dict[str, Any]:
    """For `/predict`."""
    one = _first(service, lambda served: bool(served.examples))
    inputs = list(one.examples[:2]) if one else ["…"]
    asked = {
        "type": "object",
        "properties": {"model": _NAME, "input": _INPUT, "inputs": {"type": "array", "items": _INPUT, "maxItems": service.settings.request_rows}},
        "oneOf": [{"required": ["input"]}, {"required": ["inputs"]}],
    }  # fmt: skip
    rows = {"type": "string", "format": "binary"}
    form = {
        "type": "object", "required": ["file"],
        "properties": {"file": {**rows, "description": "CSV, TSV, JSONL, or text a line; a picture or a sound."}, "model": _NAME, "text": _TEXT},
    }  # fmt: skip
    content = {
        "application/json": {"schema": asked, "example": {"inputs": inputs}},
        "multipart/form-data": {"schema": form},
        "text/csv": {"schema": _TEXT},
    }
    row = {
        "type": "object",
        "properties": {
            "answer": {},
            "score": {"type": ["number", "null"]},
            "scores": {"type": ["object", "null"]},
            "cut": {**_SECONDS, "description": "Seconds at the end of a sound that were not read."},
        },
    }
    answer = _answer({"predictions": {"type": "array", "items": row}})
    if one and one.lane is not None:
        golden = [{key: row[key] for key in ("answer", "score", "scores")} for row in one.predictor.golden[:2]]
        told = {"model": one.name, "version": one.version, "predictions": golden, "seconds": 0.004}
        return _described(content, {"application/json": {"schema": answer, "example": told}, "text/csv": {"schema": _TEXT}})
    return _described(content, {"application/json": {"schema": answer}, "text/csv": {"schema": _TEXT}})


def nearest(service: Service) -> dict[str, Any]:
    """For `/nearest`; the body is described by its model."""
    row = {"type": "object", "properties": {"text": _TEXT, "label": {}, "likeness": {"type": "number"}}}
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": row}, "seconds": _SECONDS}}
    return {"responses": {200: {"description": "The nearest first.", "content": {"application/json": {"schema": schema}}}}}


def explain(service: Service) -> dict[str, Any]:
    """For `/explain`; the body is described by its model."""
    part = {"type": "object", "properties": {"text": _TEXT, "weight": {"type": "number"}}}
    told = {
        "about": {"type": ["string", "null"]},
        "of": _TEXT,
        "parts": {"type": "array", "items": part},
        "complete": {"type": ["boolean", "null"]},
        # Of a picture, in place of parts.
        "map": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "covers": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        "size": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "method": _TEXT,
    }
    schema = _answer(
        {"prediction": {"type": "object"}, **told, "others": {"type": "array", "items": {"type": "object", "properties": told}}}
    )
    return {
        "responses": {
            200: {"description": "Parts of the input, in order.", "content": {"application/json": {"schema": schema}}}
        }
    }


def generate(service: Service) -> dict[str, Any]:
    """For `/generate`."""
    settings = GenerateSettings.model_json_schema()
    asked = {
        "type": "object", "required": ["prompt"], "additionalProperties": False,
        "properties": {"model": _NAME, "prompt": _TEXT, "stream": {"type": "boolean"}, **settings["properties"]},
    }  # fmt: skip
    one = _first(service, lambda served: served.facts.generates)
    example = {"prompt": "…"} if one is None or not one.examples else {"prompt": one.examples[0], "max_units": 32}
    content = {"application/json": {"schema": asked, "example": example}}
    answer = _answer({"prompt": _TEXT, "text": _TEXT})
    return _described(content, {"application/json": {"schema": answer}, "text/event-stream": {"schema": _TEXT}})


def _first(service: Service, fits: Any) -> Served | None:
    return next((served for served in service.models() if fits(served)), None)


def _answer(more: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"model": _TEXT, "version": _TEXT, **more, "seconds": _SECONDS}}


def _described(asked: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": asked}},
        "responses": {200: {"description": "The answer.", "content": answered}},
    }
