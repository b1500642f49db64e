"""Models of pictures over HTTP: answers equal Python's, and no text of a client becomes the path of a file."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import trained
from tests.serving import house, made
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import find
from zhuji.core.records import Picture
from zhuji.data import pictures
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import golden
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle, save
from zhuji.model.explain import explain
from zhuji.model.predictor import Predictor


@cache
def bundle() -> Path:
    modality, raws = find(Modality, "image").example()
    torch.manual_seed(0)
    model = assemble(modality, find(Backbone, "resnet").example(), find(Task, "classify").example().task).eval()
    folder = trained.folder() / "pictured"
    save(model, folder, clean=CleanSettings(), roles=Roles(text=(), image="image"), golden=golden.told(Predictor(model), raws))
    return folder


@cache
def raws() -> list[Picture]:
    return find(Modality, "image").example()[1]


def told() -> object:
    return house.settings(bundle())


def sent(picture: Picture) -> dict[str, str]:
    return {"picture": base64.b64encode(pictures.read_bytes(picture)).decode()}


def test_answers_are_those_of_python():
    found = house.post(told(), "/predict", json={"inputs": [sent(raw) for raw in raws()]}).json()["predictions"]
    for one, expected in zip(found, open_bundle(bundle()).predict(raws()), strict=True):
        assert one["answer"] == expected.answer
        assert one["scores"] == pytest.approx(expected.scores, abs=1e-5)


def test_a_file_is_one_picture():
    file = {"file": ("a.PNG", pictures.read_bytes(raws()[0]), "image/png")}
    (found,) = house.post(told(), "/predict", files=file).json()["predictions"]
    assert found["scores"] == pytest.approx(next(open_bundle(bundle()).predict(raws()[:1])).scores, abs=1e-5)


def test_its_example_can_be_sent_as_it_is():
    async def work(client, _):
        (one,) = (await client.get("/models")).json()["models"]
        return one, await client.post("/predict", json={"input": one["example"]})

    one, answer = house.talk(told(), work)
    assert one["reads"] == "pictures"
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw", ["/etc/passwd", ["/etc/passwd"], {"path": "/etc/passwd"}, {"picture": "/etc/passwd"}, {"picture": 5}, {"picture": ""}, 5, None,
            {"picture": base64.b64encode(b"x" * 99).decode()}, {"picture": "", "path": "/etc/passwd"}],
)  # fmt: skip
def test_what_is_no_picture_is_refused_with_its_place(raw):
    answer = house.post(told(), "/predict", json={"inputs": [sent(raws()[0]), raw]})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "inputs[1]"


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_why_a_picture_cannot_be_read_is_told_in_one_language(path):
    """Pictures are read in other threads than requests."""

    async def ask(client, _):
        given = {"input": sent(Picture(data=b"\xff\xd8\xff"))}
        return [await client.post(path, json=given, headers={"Accept-Language": name}) for name in ("zh", "en")]

    chinese, english = (answer.json()["error"]["message"] for answer in house.talk(told(), ask))
    assert "图片不完整" in chinese and "picture" not in chinese
    assert "truncated picture" in english and english.isascii() and english.count("Fix:") == 1


def test_no_route_opens_a_file_that_a_client_names(monkeypatch, tmp_path):
    """`opened` hears of every file that is read as a picture."""
    secret, heard = tmp_path / "secret.png", list[str]()
    secret.write_bytes(pictures.read_bytes(raws()[0]))
    before = pictures._file_bytes
    monkeypatch.setattr(pictures, "_file_bytes", lambda picture: heard.append(picture.path) or before(picture))
    named = str(secret)
    rows = {"file": ("rows.csv", f"image\n{named}\n".encode(), "text/csv")}
    requests = [
        ("/predict", {"json": {"input": named}}),
        ("/predict", {"files": rows}),
        ("/predict", {"content": f"image\n{named}\n", "headers": {"Content-Type": "text/csv"}}),
        ("/predict", {"content": named, "headers": {"Content-Type": "text/plain"}}),
        ("/explain", {"json": {"input": named}}),
        ("/nearest", {"json": {"input": named}}),
        ("/generate", {"json": {"prompt": named}}),
        ("/v1/embeddings", {"json": {"model": "model", "input": named}}),
        ("/v1/completions", {"json": {"model": "model", "prompt": named}}),
        (
            "/v2/models/model/infer",
            {"json": {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [named]}]}},
        ),
    ]

    async def work(client, _):
        return [(await client.post(path, **request)).status_code for path, request in requests]

    statuses = house.talk(told(), work)
    assert all(400 <= status < 500 for status in statuses), statuses
    assert heard == []
    assert next(open_bundle(bundle()).predict([Picture(named)])).answer  # in Python it is a path
    assert heard == [named]


def test_a_picture_for_a_model_of_texts_is_refused():
    answer = house.post(house.settings(), "/predict", json={"input": sent(raws()[0])})
    assert answer.status_code == 422
    file = {"file": ("a.png", pictures.read_bytes(raws()[0]), "image/png")}
    assert house.post(house.settings(), "/predict", files=file).status_code == 415


def test_an_explanation_is_the_map_of_python():
    found = house.post(told(), "/explain", json={"input": sent(raws()[0])}).json()
    (expected,) = explain(open_bundle(bundle()), raws()[0])
    assert found["about"] == expected.about == found["prediction"]["answer"] and found["parts"] == []
    assert np.array(found["map"]) == pytest.approx(expected.map, abs=1e-4)
    assert found["covers"] == pytest.approx(expected.covers) and found["size"] == list(expected.size)
    other = next(name for name in open_bundle(bundle()).model.task.classes if name != expected.about)
    assert house.post(told(), "/explain", json={"input": sent(raws()[0]), "about": other}).json()["about"] == other


def test_objects_are_explained_one_at_a_time():
    answer = house.post(house.settings(made.of_task("detect")), "/explain", json={"input": sent(raws()[0])}).json()
    assert answer["prediction"]["answer"] == [] and answer["about"] is None and answer["parts"] == []


@pytest.mark.parametrize(
    "raw", [{"picture": base64.b64encode(b"x" * 99).decode()}, {"picture": "?"}, {"path": "/etc/passwd"}, "a text"]
)
def test_what_is_no_picture_cannot_be_explained(raw):
    answer = house.post(told(), "/explain", json={"input": raw})
    assert 400 <= answer.status_code < 500 and answer.json()["error"]["message"]
