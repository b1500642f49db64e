from __future__ import annotations

import json

import pytest
from starlette.exceptions import HTTPException

from zhuji.core.errors import BadSetting, DamagedBundle, EmptyData, ImpossiblePair, MissingColumn
from zhuji.core.refusals import Busy, NoKey, NoSuchModel, Refused, TooOften
from zhuji.serving.failures import failure, json_response


@pytest.mark.parametrize(
    ("error", "status", "code", "param"),
    [
        (NoSuchModel(name="a", choices="b", param="model"), 404, "no_such_model", "model"), (NoKey(), 401, "no_key", None),
        (BadSetting(key="temperature", rule="must be more"), 400, "bad_setting", "temperature"),
        (EmptyData(file="/tmp/secret"), 422, "empty_data", None), (Refused(rule="a", fix="b", status=415), 415, "refused", None),
        (MissingColumn(file="/tmp/secret", role="text", name="a", columns="b", column="a"), 422, "missing_column", "a"),
        (ImpossiblePair(first="a", second="b", rule="c", advice="d"), 400, "impossible_pair", None),
        (DamagedBundle(file="/models/secret", why="x"), 503, "busy", None), (RuntimeError("secret"), 500, "internal_error", None),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "method_not_allowed", None), (HTTPException(418), 418, "i_m_a_teapot", None),
    ],
)  # fmt: skip
def test_every_error_has_one_shape_and_tells_no_secret(error, status, code, param):
    response = failure(error)
    told = json.loads(response.body)["error"]
    assert (response.status_code, told["code"], told["param"]) == (status, code, param)
    assert set(told) == {"message", "type", "code", "param"} and "secret" not in told["message"]
    assert response.headers.get("allow") == ("GET" if status == 405 else None)


def test_who_must_wait_hears_how_long():
    assert failure(Busy(why="x", seconds=7)).headers["retry-after"] == "7"
    assert failure(TooOften(rate=1, seconds=2)).headers["retry-after"] == "2"
    assert failure(NoKey()).headers["www-authenticate"] == "Bearer"


def test_what_json_lacks_becomes_null():
    assert json_response({"a": float("nan"), "b": (1, float("inf"))}).body == b'{"a":null,"b":[1,null]}'
