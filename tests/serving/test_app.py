"""The application as a whole, without sockets: the same numbers as Python, one shape for every error, nothing of our insides."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from tests.serving import house
from zhuji.serving.service import Service


def is_error(response, status):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "code", "param"} and error["message"] and error["code"]
    return error


def test_64_clients_get_what_python_gets():
    rng = np.random.default_rng(1)
    asked = [[house.TEXTS[i] for i in rng.integers(0, len(house.TEXTS), rng.integers(1, 9))] for _ in range(64)]

    async def ask(client, _):
        return await asyncio.gather(*(client.post("/predict", json={"inputs": inputs}) for inputs in asked))

    for inputs, response in zip(asked, house.talk(house.settings(), ask), strict=True):
        for told, expected in zip(response.json()["predictions"], house.predictor().predict(inputs), strict=True):
            assert told["answer"] == expected.answer
            assert told["scores"] == pytest.approx(expected.scores, abs=1e-5)


GARBAGE = [
    (400, {"content": b"{"}), (400, {"content": b'{"inputs": ["\xff"]}'}), (400, {"content": b'{"input": "\\ud800"}'}),
    (400, {"content": b"[" * 30_000 + b"]" * 30_000}), (400, {"content": b'{"a":' * 300 + b"1" + b"}" * 300}),
    (400, {"content": b'{"input": NaN}'}), (400, {"json": {"inputs": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}}),
    (413, {"content": b'{"input": "' + b"a" * 70_000 + b'"}'}), (413, {"json": {"inputs": ["a"] * 40}}),
    (422, {"content": b""}), (422, {"content": b"null"}), (422, {"json": []}), (422, {"json": {}}), (422, {"json": {"inputs": "a"}}),
    (422, {"json": {"inputs": ["a", 3]}}), (422, {"json": {"inputs": [None]}}), (422, {"json": {"inputs": [[]]}}),
    (422, {"json": {"inputs": [["a", 1]]}}), (422, {"json": {"input": "a", "inputs": ["a"]}}), (422, {"json": {"input": {"a": 1}}}),
    (422, {"json": {"input": "a", "model": 3}}), (404, {"json": {"input": "a", "model": "../../etc/passwd"}}),
    (404, {"json": {"input": "a", "model": "x" * 10_000}}), (415, {"content": b"x", "headers": {"content-type": "image/png"}}),
    (415, {"content": b"x", "headers": {"content-type": ""}}),
]  # fmt: skip


def test_garbage_is_refused_by_its_name():
    async def ask(client, _):
        found = []
        for _, request in GARBAGE:
            headers = {"content-type": "application/json", **request.pop("headers", {})} if "content" in request else {}
            found.append(await client.post("/predict", headers=headers, **request))
        return found

    responses = house.talk(house.settings(body=65_536, request_rows=32), ask)
    for (status, request), response in zip(GARBAGE, responses, strict=True):
        error = is_error(response, status)
        assert error["type"] == "invalid_request_error", request


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/models", 405), ("GET", "/../../etc/passwd", 404),
     ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404), ("GET", "/models/", 404), ("GET", "/docs", 404), ("POST", "/nearest", 422)],
)  # fmt: skip
def test_paths_and_methods_that_are_not_there(method, path, status):
    async def ask(client, _):
        return await client.request(method, path)

    is_error(house.talk(house.settings(), ask), status)


def test_what_nobody_foresaw_tells_nothing(monkeypatch, capsys):
    async def broken(self, name, inputs):
        raise RuntimeError("a secret of the house and of a user")

    monkeypatch.setattr(Service, "answer", broken)
    response = house.post(house.settings(), "/predict", json={"input": "private words"})
    assert is_error(response, 500)["code"] == "internal_error"
    journal = capsys.readouterr().err
    assert "secret" not in response.text + journal and "private" not in journal
    assert "RuntimeError" in journal and "broken" in journal
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_description_holds_true_examples():
    async def ask(client, _):
        described = (await client.get("/openapi.json")).json()
        content = described["paths"]["/predict"]["post"]
        example = content["requestBody"]["content"]["application/json"]["example"]
        told = content["responses"]["200"]["content"]["application/json"]["example"]
        return told, (await client.post("/predict", json=example)).json()

    told, found = house.talk(house.settings(), ask)
    assert told["version"] == found["version"]
    for one, other in zip(told["predictions"], found["predictions"], strict=True):
        assert one["answer"] == other["answer"] and one["scores"] == pytest.approx(other["scores"], abs=1e-5)


def test_every_route_says_what_its_errors_look_like():
    async def ask(client, _):
        return (await client.get("/openapi.json")).json()["paths"]

    for path, methods in house.talk(house.settings(), ask).items():
        for told in methods.values():
            assert {"4XX", "503"} <= set(told["responses"]), path
            assert "HTTPValidationError" not in json.dumps(told["responses"].get("422", {})), path
