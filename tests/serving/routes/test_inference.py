"""The Open Inference Protocol: asked by Triton's client of a server in another process, and in this process for every task that there is."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.serving import live, made
from zhuji.core import lookup
from zhuji.core.contracts import Modality
from zhuji.core.records import Picture
from zhuji.model import golden
from zhuji.model.bundle import open_bundle
from zhuji.serving.app import create
from zhuji.serving.settings import ServeSettings

TEXTS = [*made.TEXTS, "", "the cat sat " * 60]


@cache
def application() -> Any:
    """One server with a model of every task, in this process."""
    places = tuple({"name": name, "path": str(made.of_task(name))} for name in made.TASKS)
    return create(ServeSettings.parse({"models": places, "request_rows": 50, "body": 100_000}))


def call(method: str, path: str, **asked: Any) -> httpx.Response:
    async def called() -> httpx.Response:
        transport = httpx.ASGITransport(application())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **asked)

    return asyncio.run(called())


def text_tensor(texts: list[str] = TEXTS, **more: Any) -> dict[str, Any]:
    return {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts, **more}


def infer(name: str = "classify", **asked: Any) -> httpx.Response:
    return call("POST", f"/v2/models/{name}/infer", json={"inputs": [text_tensor(sent(name))], **asked})


@cache
def inputs(name: str) -> list[Any]:
    return lookup.find(Modality, made.NO_TEXTS[name][0]).example()[1] if name in made.NO_TEXTS else TEXTS


def sent(name: str) -> list[str]:
    """As the protocol's texts: of a picture its bytes in base64."""
    return [golden.as_json(raw)["picture"] if isinstance(raw, Picture) else raw for raw in inputs(name)]


# ----------------------------------------------------------------------------------------------------- every task


@cache
def expected(name: str, order: int) -> dict[str, Any]:
    """What Python answers, by output; asked in the texts' order (1) or from the last to the first (-1)."""
    predictor = open_bundle(made.of_task(name))
    answers = list(predictor.predict(inputs(name)[::order]))[::order]
    return {
        "label": [one.answer for one in answers], "labels": [one.answer for one in answers],
        "answer": [one.answer for one in answers], "number": [one.answer for one in answers],
        "vector": [one.answer for one in answers], "tags": [list(one.answer) for one in answers if name == "tag"],
        "boxes": [one.answer for one in answers],
        "words": [list(predictor.words(text)) for text in inputs(name)], "score": [one.score for one in answers],
        "scores": [list(one.scores.values()) for one in answers if one.scores],
    }  # fmt: skip


@pytest.mark.parametrize("name", made.TASKS)
def test_every_task_gives_what_its_metadata_says_and_python_answers(name):
    described = call("GET", f"/v2/models/{name}").json()
    outputs = {one["name"]: one for one in infer(name).json()["outputs"]}
    assert list(outputs) == [one["name"] for one in described["outputs"]]
    for one in described["outputs"]:
        found, (answers, turned) = outputs[one["name"]], (expected(name, order)[one["name"]] for order in (1, -1))
        assert found["datatype"] == one["datatype"]
        assert found["shape"] == [len(inputs(name)), *one["shape"][1:]]
        if one["name"] == "boxes":
            for text, boxes in zip(found["data"], answers, strict=True):
                assert [each["label"] for each in json.loads(text)] == [each["label"] for each in boxes]
                assert close([each["box"] for each in json.loads(text)], [each["box"] for each in boxes])
        elif one["datatype"] == "BYTES":
            written = [json.loads(text) if one["name"] in ("tags", "words") else text for text in found["data"]]
            assert written == answers
        else:
            given = np.array(found["data"], float).reshape(found["shape"])
            # An objective that hides units by chance may answer otherwise in another order, and so in another batch.
            if close(answers, turned):
                assert close(given, answers)


def close(first: Any, second: Any) -> bool:
    return np.allclose(np.array(first, float), np.array(second, float), atol=1e-5, rtol=1e-5, equal_nan=True)


def test_the_metadata_of_a_model_name_its_labels():
    told = call("GET", "/v2/models/classify").json()
    assert told["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    labels = list(next(iter(open_bundle(made.of_task("classify")).predict(["a"]))).scores)
    assert json.loads(told["properties"]["labels"]) == labels and told["outputs"][-1]["shape"] == [-1, len(labels)]
    assert call("GET", f"/v2/models/classify/versions/{told['versions'][0]}").json() == told


# ------------------------------------------------------------------------------------------- what cannot be answered

BAD: dict[str, Any] = {
    "no inputs": {"inputs": None}, "no input": {"inputs": []}, "two inputs": {"inputs": [text_tensor(), text_tensor()]},
    "inputs an object": {"inputs": {"name": "text"}}, "another input": {"inputs": [text_tensor(name="words")]},
    "numbers": {"inputs": [text_tensor(datatype="FP32")]}, "no datatype": {"inputs": [text_tensor(datatype=None)]},
    "shape too long": {"inputs": [text_tensor(shape=[len(TEXTS), 1])]}, "shape negative": {"inputs": [text_tensor(shape=[-1])]},
    "shape empty": {"inputs": [text_tensor([])]}, "shape true": {"inputs": [text_tensor(["a"], shape=[True])]},
    "shape of others": {"inputs": [text_tensor(shape=[2])]}, "shape no list": {"inputs": [text_tensor(shape=6)]},
    "too many rows": {"inputs": [text_tensor(["a"] * 51)]}, "data a number": {"inputs": [text_tensor([1])]},
    "data nested": {"inputs": [text_tensor([["a"]])]}, "data null": {"inputs": [text_tensor(data=None)]},
    "binary size without bytes": {"inputs": [text_tensor(parameters={"binary_data_size": 4})]},
    "shared memory": {"inputs": [text_tensor(parameters={"shared_memory_region": "/dev/shm/x"})]},
    "parameters a list": {"inputs": [text_tensor(parameters=[1])]}, "outputs an object": {"outputs": {"name": "label"}},
    "no such output": {"outputs": [{"name": "logits"}]}, "output twice": {"outputs": [{"name": "label"}] * 2},
    "output without a name": {"outputs": [{}]}, "classification": {"outputs": [{"name": "label", "parameters": {"classification": 2}}]},
    "binary_data a word": {"outputs": [{"name": "label", "parameters": {"binary_data": "yes"}}]},
    "a sequence": {"parameters": {"sequence_id": 1}}, "id a number": {"id": 5},
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_refused_in_one_text(case):
    found = infer(**BAD[case])
    assert found.status_code == 400, found.text
    assert set(found.json()) == {"error"} and isinstance(found.json()["error"], str)


def length_of(texts: list[bytes]) -> bytes:
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def binary(behind: bytes, rows: int, header: str | None = None, size: int | None = None) -> httpx.Response:
    tensor = {"name": "text", "shape": [rows], "datatype": "BYTES", "parameters": {"binary_data_size": size or len(behind)}}
    start = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(start)) if header is None else header}
    return call("POST", "/v2/models/classify/infer", content=start + behind, headers=headers)


BYTES: dict[str, tuple[Any, ...]] = {
    "cut off": (length_of([b"ab"])[:-1], 1), "in a length": (length_of([b"ab"])[:3], 1), "one too many": (length_of([b"a", b"b"]), 1),
    "one too few": (length_of([b"a"]), 2), "no UTF-8": (length_of([b"\xff\xfe"]), 1), "length of gigabytes": (b"\xff\xff\xff\xff", 1),
    "a byte behind": (length_of([b"a"]) + b"x", 1), "another size": (length_of([b"a"]), 1, None, 4),
    "header too long": (length_of([b"a"]), 1, "100000"), "header negative": (length_of([b"a"]), 1, "-5"),
    "header a word": (length_of([b"a"]), 1, "all"), "header none": (length_of([b"a"]), 1, "0"),
    "header huge": (length_of([b"a"]), 1, "9" * 5000), "header short": (length_of([b"a"]), 1, "10"),
}  # fmt: skip


@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_wrong_are_refused_in_one_text(case):
    found = binary(*BYTES[case])
    assert found.status_code == 400, found.text
    assert isinstance(found.json()["error"], str)


def test_bytes_that_are_right_are_answered():
    assert binary(length_of([b"a", "筑基".encode(), b""]), 3).json()["outputs"] == infer(
        inputs=[text_tensor(["a", "筑基", ""])]
    ).json()["outputs"]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v2/models/nobody", 404), ("GET", "/v2/models/classify/versions/9", 404), ("GET", "/v2/models/nobody/ready", 404),
    ("POST", "/v2/models/nobody/infer", 404), ("POST", "/v2/models/classify/versions/9/infer", 404), ("GET", "/v2/nowhere", 404),
    ("GET", "/v2/models/classify/infer", 405),
])  # fmt: skip
def test_what_is_not_there(method, path, status):
    found = call(method, path)
    assert (found.status_code, set(found.json())) == (status, {"error"})
    assert isinstance(found.json()["error"], str)


@pytest.mark.parametrize(("content", "headers", "status"), [
    (b"{", {}, 400), (b"", {}, 400), (b"[]", {}, 400), (b"[" * 5000, {}, 400), (b"x" * 200_000, {}, 413),
    (b"{}", {"Content-Encoding": "gzip"}, 400), (b"{", {"Content-Type": "application/json"}, 400),
])  # fmt: skip
def test_garbage(content, headers, status):
    found = call("POST", "/v2/models/classify/infer", content=content, headers=headers)
    assert (found.status_code, set(found.json())) == (status, {"error"})
    assert isinstance(found.json()["error"], str)


# ------------------------------------------------------------------------------------------------- Triton's client


@pytest.fixture(scope="module")
def client():
    with triton.InferenceServerClient(live.server().removeprefix("http://")) as found:
        yield found


def given(texts: list[str], as_bytes: bool) -> list[Any]:
    tensor = triton.InferInput("text", [len(texts)], "BYTES")
    return [tensor.set_data_from_numpy(np.array([text.encode() for text in texts], object), binary_data=as_bytes)]


@pytest.mark.enable_socket
class TestTriton:
    def test_what_is_there(self, client):
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("pets")
        assert not client.is_model_ready("nobody") and not client.is_model_ready("pets", "9")
        assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        told = client.get_model_metadata("pets")
        assert client.is_model_ready("pets", told["versions"][0])
        assert [one["name"] for one in told["outputs"]] == ["label", "score", "scores"]

    @pytest.mark.parametrize("in_bytes", [True, False])
    @pytest.mark.parametrize("out_bytes", [True, False])
    def test_answers_are_those_of_python(self, client, in_bytes, out_bytes):
        wanted = [triton.InferRequestedOutput(name, binary_data=out_bytes) for name in ("scores", "label")]
        found = client.infer("pets", given(TEXTS, in_bytes), outputs=wanted, request_id="a-1")
        assert [one["name"] for one in found.get_response()["outputs"]] == ["scores", "label"]
        assert ("data" in found.get_output("scores")) != out_bytes
        answers = list(open_bundle(made.of_task("classify")).predict(TEXTS))
        np.testing.assert_allclose(found.as_numpy("scores"), [list(one.scores.values()) for one in answers], atol=1e-5)
        labels = [label.decode() if out_bytes else label for label in found.as_numpy("label")]
        assert labels == [one.answer for one in answers]
        assert found.get_response()["id"] == "a-1" and found.get_response()["model_name"] == "pets"

    def test_without_a_choice_all_outputs_come_as_bytes(self, client):
        (version,) = client.get_model_metadata("pets")["versions"]
        found = client.infer("pets", given(TEXTS, True), model_version=version)
        assert [one["name"] for one in found.get_response()["outputs"]] == ["label", "score", "scores"]
        assert found.as_numpy("score").dtype == np.float32 and found.as_numpy("scores").shape == (len(TEXTS), 3)
        np.testing.assert_array_equal(found.as_numpy("scores").max(1), found.as_numpy("score"))

    def test_a_perplexity_is_a_number(self, client):
        found = client.infer("gpt", given(["the cat"], True)).as_numpy("number")
        (answer,) = open_bundle(made.writer()).predict(["the cat"])
        assert found.dtype == np.float64 and found[0] == pytest.approx(answer.answer, rel=1e-5)

    def test_refusals_are_its_own_errors_with_a_text(self, client):
        for name, more in {
            "nobody": {}, "pets": {"sequence_id": 5}, "gpt": {"outputs": [triton.InferRequestedOutput("label", class_count=2)]},
        }.items():  # fmt: skip
            with pytest.raises(InferenceServerException) as caught:
                client.infer(name, given(["a"], True), **more)
            assert caught.value.status() in ("400", "404") and isinstance(caught.value.message(), str)
