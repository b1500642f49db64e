"""Every error as a response of one shape, that which OpenAI's clients read: `{"error": {"message", "type", "code", "param"}}`; only below
/v2 it is the Open Inference Protocol's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from zhuji.core.errors import BadSetting, DataError, NoWeights, UnknownKey, UsageError, ZhujiError
from zhuji.core.log import in_language
from zhuji.core.refusals import Busy, ServingError

SHAPE = {
    "type": "object", "required": ["error"],
    "properties": {"error": {
        "type": "object", "required": ["message", "type", "code", "param"],
        "properties": {
            "message": {"type": "string"}, "type": {"type": "string"}, "code": {"type": "string"},
            "param": {"type": ["string", "null"]},
        },
    }},
}  # fmt: skip
"""JSON schema of an error."""

FORESEEN = (ZhujiError, RequestValidationError, HTTPException)
"""What a route may raise to tell its client why it has no answer."""

_SAID = {
    404: ("there is nothing here; /openapi.json says what there is", "这里没有内容；/openapi.json 列出了所有接口"),
    405: ("this must be asked for by another method; see the header Allow", "须使用其他请求方法；参见响应头 Allow"),
}


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """NaN and infinity, which JSON lacks, become null."""
    return Response(orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS), status, headers, "application/json")


def failure(error: Exception, path: str = "") -> Response:
    """What a client of this path is told. Of an error that nobody foresaw it learns nothing but that there was one.

    The Open Inference Protocol wants a text in place of the object: `{"error": "message"}`."""
    told = _failure(error)
    if path == "/v2" or path.startswith("/v2/"):
        kept = {name: value for name, value in told.headers.items() if name in ("retry-after", "www-authenticate")}
        return json_response({"error": orjson.loads(told.body)["error"]["message"]}, told.status_code, kept)
    return told


def _failure(error: Exception) -> Response:
    if isinstance(error, ServingError):
        return _told(error.status, error.message(), _snake(error.code), error.param, kind=error.kind, headers=_headers(error))
    if isinstance(error, UsageError | DataError | NoWeights):
        param = error.facts.get("key") if isinstance(error, BadSetting | UnknownKey) else error.column
        # A path in an error is ours: of a file that was sent, it names a folder for passing use.
        error.file = None
        status = 422 if isinstance(error, DataError) else 400
        return _told(status, error.message(), _snake(error.code), None if param is None else str(param))
    if isinstance(error, ZhujiError):
        return _failure(Busy(why=in_language("its model cannot be used now", "模型目前不可用"), seconds=30))
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        detail = in_language(*_SAID.get(error.status_code, (str(error.detail), str(error.detail))))
        return _told(error.status_code, detail, _snake(phrase), headers=error.headers)
    said = in_language("something went wrong here; it was logged", "服务器内部出错，已记录")
    return _told(500, said, "internal_error", kind="server_error")


def _told(
    status: int, message: str, code: str, param: str | None = None, *, kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    error = {"message": message, "type": kind, "code": code, "param": param}
    return json_response({"error": error}, status, headers)


def _invalid(error: RequestValidationError) -> Response:
    first = error.errors()[0]
    place = [part for part in first["loc"] if part not in ("body", "query", "path", "header")]
    if first["type"] == "json_invalid":
        return _told(400, in_language("the body must be valid JSON", "请求体须为有效的 JSON"), "bad_json")
    param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".") or None
    message = f"{param}: {first['msg']}" if param else str(first["msg"])
    return _told(422, message, "invalid_value", param)


def _headers(error: ServingError) -> dict[str, str]:
    headers = {"Retry-After": str(error.facts["seconds"])} if "seconds" in error.facts else {}
    return {**headers, "WWW-Authenticate": "Bearer"} if error.status == 401 else headers


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|\W+", "_", name).lower()
