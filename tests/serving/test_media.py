"""Models of pictures and sounds over HTTP: answers equal Python's, and no text of a client becomes the path of a file."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import Any

import pytest

from tests.serving import house
from tests.serving.media import PICTURES, SOUNDS, Medium, bundle, raws, told
from zhuji.model.bundle import open_bundle

HEARD = pytest.mark.skipif(find_spec("soundfile") is None, reason="soundfile is not installed")
pytestmark = pytest.mark.parametrize(
    "of", [pytest.param(PICTURES, id="picture"), pytest.param(SOUNDS, id="sound", marks=HEARD)]
)


def test_answers_are_those_of_python(of: Medium) -> None:
    inputs = [of.sent(raw) for raw in raws(of)]
    found = house.post(told(of), "/predict", json={"inputs": inputs}).json()["predictions"]
    for one, expected in zip(found, open_bundle(bundle(of)).predict(raws(of)), strict=True):
        assert one["answer"] == expected.answer
        assert one["scores"] == pytest.approx(expected.scores, abs=1e-5)


def test_a_file_is_one_input(of: Medium) -> None:
    (found,) = house.post(told(of), "/predict", files=of.uploaded(raws(of)[0])).json()["predictions"]
    assert found["scores"] == pytest.approx(next(open_bundle(bundle(of)).predict(raws(of)[:1])).scores, abs=1e-5)


def test_its_example_can_be_sent_as_it_is(of: Medium) -> None:
    async def work(client: Any, _: Any) -> Any:
        (one,) = (await client.get("/models")).json()["models"]
        return one, await client.post("/predict", json={"input": one["example"]})

    one, answer = house.talk(told(of), work)
    assert one["reads"] == f"{of.word}s"
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw", ["/etc/passwd", ["/etc/passwd"], {"path": "/etc/passwd"}, {"WORD": "/etc/passwd"}, {"WORD": 5}, {"WORD": ""}, 5, None,
            {"WORD": base64.b64encode(b"x" * 99).decode()}, {"OTHER": base64.b64encode(b"x").decode()}, {"WORD": "", "path": "/etc/passwd"}],
)  # fmt: skip
def test_what_is_none_is_refused_with_its_place(of: Medium, raw: Any) -> None:
    (other,) = {PICTURES.word, SOUNDS.word} - {of.word}
    if isinstance(raw, dict):
        raw = {{"WORD": of.word, "OTHER": other}.get(key, key): value for key, value in raw.items()}
    answer = house.post(told(of), "/predict", json={"inputs": [of.sent(raws(of)[0]), raw]})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "inputs[1]"


def test_no_route_opens_a_file_that_a_client_names(of: Medium, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """What opens files of this kind tells which."""
    secret, heard = tmp_path / f"secret{of.file[0][1:].lower()}", set[str]()
    secret.write_bytes(of.module.read_bytes(raws(of)[0]))
    before = getattr(of.module, of.opens)
    monkeypatch.setattr(of.module, of.opens, lambda raw: (raw.path and heard.add(raw.path)) or before(raw))
    named = str(secret)
    rows = f"{of.column}\n{named}\n"
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [named]}
    requests = [
        ("/predict", {"json": {"input": named}}),
        ("/predict", {"files": {"file": ("rows.csv", rows.encode(), "text/csv")}}),
        ("/predict", {"content": rows, "headers": {"Content-Type": "text/csv"}}),
        ("/predict", {"content": named, "headers": {"Content-Type": "text/plain"}}),
        ("/explain", {"json": {"input": named}}),
        ("/nearest", {"json": {"input": named}}),
        ("/generate", {"json": {"prompt": named}}),
        ("/v1/embeddings", {"json": {"model": "model", "input": named}}),
        ("/v1/completions", {"json": {"model": "model", "prompt": named}}),
        ("/v2/models/model/infer", {"json": {"inputs": [tensor]}}),
    ]

    async def work(client: Any, _: Any) -> list[int]:
        return [(await client.post(path, **request)).status_code for path, request in requests]

    statuses = house.talk(told(of), work)
    assert all(400 <= status < 500 for status in statuses), statuses
    assert not heard
    assert next(open_bundle(bundle(of)).predict([of.type(named)])).answer  # in Python it is a path
    assert heard == {named}


def test_a_model_of_texts_refuses_it(of: Medium) -> None:
    assert house.post(house.settings(), "/predict", json={"input": of.sent(raws(of)[0])}).status_code == 422
    assert house.post(house.settings(), "/predict", files=of.uploaded(raws(of)[0])).status_code == 415
