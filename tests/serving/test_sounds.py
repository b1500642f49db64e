"""Models of sounds over HTTP: answers equal Python's, and no text of a client becomes the path of a file."""

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
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import golden
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle, save
from zhuji.model.predictor import Predictor

pytest.importorskip("soundfile")


@cache
def bundle() -> Path:
    modality, raws = find(Modality, "speech").example()
    torch.manual_seed(0)
    model = assemble(modality, find(Backbone, "recurrent").example(), find(Task, "classify").example().task).eval()
    folder = trained.folder() / "spoken"
    save(
        model,
        folder,
        clean=CleanSettings(),
        roles=Roles(text=(), sound="file_name"),
        golden=golden.told(Predictor(model), raws),
    )
    return folder


@cache
def raws() -> list[Sound]:
    return find(Modality, "speech").example()[1]


def told() -> object:
    return house.settings(bundle())


def sent(sound: Sound) -> dict[str, str]:
    return {"sound": base64.b64encode(sounds.read_bytes(sound)).decode()}


def test_answers_are_those_of_python():
    found = house.post(told(), "/predict", json={"inputs": [sent(raw) for raw in raws()]}).json()["predictions"]
    for one, expected in zip(found, open_bundle(bundle()).predict(raws()), strict=True):
        assert one["answer"] == expected.answer
        assert one["scores"] == pytest.approx(expected.scores, abs=1e-5)


def test_a_file_is_one_sound():
    file = {"file": ("a.WAV", sounds.read_bytes(raws()[0]), "audio/wav")}
    (found,) = house.post(told(), "/predict", files=file).json()["predictions"]
    assert found["scores"] == pytest.approx(next(open_bundle(bundle()).predict(raws()[:1])).scores, abs=1e-5)


def test_its_example_can_be_sent_as_it_is():
    async def work(client, _):
        (one,) = (await client.get("/models")).json()["models"]
        return one, await client.post("/predict", json={"input": one["example"]})

    one, answer = house.talk(told(), work)
    assert one["reads"] == "sounds"
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw", ["/etc/passwd", ["/etc/passwd"], {"path": "/etc/passwd"}, {"sound": "/etc/passwd"}, {"sound": 5}, {"sound": ""}, 5, None,
            {"sound": base64.b64encode(b"x" * 99).decode()}, {"picture": base64.b64encode(b"x").decode()}, {"sound": "", "path": "/etc/passwd"}],
)  # fmt: skip
def test_what_is_no_sound_is_refused_with_its_place(raw):
    answer = house.post(told(), "/predict", json={"inputs": [sent(raws()[0]), raw]})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "inputs[1]"


def test_no_route_opens_a_file_that_a_client_names(monkeypatch, tmp_path):
    """`_file` hears of every file that is read as a sound."""
    secret, heard = tmp_path / "secret.wav", list[str]()
    secret.write_bytes(sounds.read_bytes(raws()[0]))
    before = sounds._file
    monkeypatch.setattr(sounds, "_file", lambda sound: (sound.path and heard.append(sound.path)) or before(sound))
    named = str(secret)
    requests = [
        ("/predict", {"json": {"input": named}}),
        ("/predict", {"files": {"file": ("rows.csv", f"file_name\n{named}\n".encode(), "text/csv")}}),
        ("/predict", {"content": f"file_name\n{named}\n", "headers": {"Content-Type": "text/csv"}}),
        ("/explain", {"json": {"input": named}}),
        (
            "/v2/models/spoken/infer",
            {"json": {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [named]}]}},
        ),
    ]

    async def work(client, _):
        return [(await client.post(path, **request)).status_code for path, request in requests]

    statuses = house.talk(told(), work)
    assert all(400 <= status < 500 for status in statuses), statuses
    assert heard == []
    assert next(open_bundle(bundle()).predict([Sound(named)])).answer  # in Python it is a path
    assert named in heard


def test_a_sound_for_a_model_of_texts_is_refused():
    assert house.post(house.settings(), "/predict", json={"input": sent(raws()[0])}).status_code == 422
    file = {"file": ("a.wav", sounds.read_bytes(raws()[0]), "audio/wav")}
    assert house.post(house.settings(), "/predict", files=file).status_code == 415


def test_a_cleaned_sound_comes_as_one():
    modality, sounds_given = find(Modality, "waveform").example()
    place = made.of_task("enhance")
    (found,) = house.post(house.settings(place), "/predict", json={"input": sent(sounds_given[0])}).json()["predictions"]
    expected = next(open_bundle(place).predict(sounds_given[:1]))
    got = sounds.samples(Sound(data=base64.b64decode(found["sound"])), modality.rate).samples
    assert np.abs(got - np.clip(expected.waves.sound, -1, 1)).max() < 1e-4 and found["answer"] == pytest.approx(
        expected.answer, abs=1e-5
    )
