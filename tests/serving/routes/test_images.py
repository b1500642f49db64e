"""Drawn for the `openai` client and for `curl`, each in a process of its own, by a server in another."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess

import numpy as np
import openai
import pytest
from PIL import Image

from tests.serving import live, made
from tests.serving.house import settings
from zhuji.model.bundle import open_bundle
from zhuji.model.draw import DrawSettings, drawn
from zhuji.serving.app import create

pytestmark = pytest.mark.enable_socket


def ask(client, **more):
    more = {"model": "noise", "prompt": "b", "size": None, **more}
    return client.images.generate(**{name: value for name, value in more.items() if value is not None})


def pixels(text):
    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture).reshape(picture.height, picture.width, -1)


@pytest.mark.parametrize("model", ["art", "noise"])
@pytest.mark.parametrize(("prompt", "labels"), [("b", ("b",)), ("", ())])
def test_pictures_are_those_of_python(client, model, prompt, labels):
    found = ask(client, model=model, prompt=prompt, n=6, extra_body={"seed": 7})
    bundle = made.painter() if model == "noise" else made.of_task("generate")
    expected = drawn(open_bundle(bundle).model, DrawSettings(count=6, labels=labels, seed=7))
    assert len(found.data) == 6
    for one, array in zip(found.data, expected, strict=True):
        # A float's last digit depends on how many are drawn at once, and may round a colour to its neighbour.
        assert np.abs(pixels(one.b64_json).astype(int) - array).max() <= 1
    assert found.size == f"{expected[0].shape[1]}x{expected[0].shape[0]}" and found.output_format == "png"
    assert len({one.b64_json for one in found.data}) == 6


def test_steps_and_guidance_change_a_diffusion_model(client):
    plain, again, strong, short = (
        ask(client, extra_body={"seed": 3, **more}).data[0].b64_json for more in ({}, {}, {"guidance": 6.0}, {"steps": 2})
    )
    assert plain == again and len({plain, strong, short}) == 3


def test_without_a_seed_chance_is_new_each_time(client):
    assert len({ask(client).data[0].b64_json for _ in range(3)}) == 3


def test_what_asks_for_nothing_is_passed_over(client):
    more = {"user": "ada", "quality": "auto", "response_format": "b64_json", "output_format": "png", "background": "auto"}
    size = ask(client).size
    found = ask(client, size=size, extra_body={"seed": 3}, **more)
    assert found.data == ask(client, size="auto", extra_body={"seed": 3}).data


@pytest.mark.parametrize(("asked", "error", "param"), [
    ({"model": "nobody"}, openai.NotFoundError, "model"),
    ({"model": "pets"}, openai.BadRequestError, "model"),
    ({"prompt": "a cat on the moon"}, openai.BadRequestError, "prompt"),
    ({"size": "1024x1024"}, openai.BadRequestError, "size"),
    ({"response_format": "url"}, openai.BadRequestError, "response_format"),
    ({"output_format": "webp"}, openai.BadRequestError, "output_format"),
    ({"stream": True}, openai.BadRequestError, "stream"),
    ({"style": "vivid"}, openai.BadRequestError, "style"),
    ({"n": 0}, openai.UnprocessableEntityError, "n"),
    ({"n": 65}, openai.APIStatusError, "n"),
    ({"extra_body": {"steps": 251}}, openai.APIStatusError, "steps"),
    ({"model": "art", "extra_body": {"steps": 2}}, openai.BadRequestError, "steps"),
    ({"model": "art", "extra_body": {"guidance": 2.0}}, openai.BadRequestError, "guidance"),
    ({"extra_body": {"guidance": "NaN"}}, openai.UnprocessableEntityError, "guidance"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(client, asked, error, param):
    with pytest.raises(error) as caught:
        ask(client, **asked)
    assert caught.value.type == "invalid_request_error" and caught.value.param == param


def test_a_refusal_names_the_classes(client):
    with pytest.raises(openai.BadRequestError, match="a, b, c"):
        ask(client, prompt="d")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_gets_a_picture():
    body = json.dumps({"model": "art", "prompt": "a", "seed": 1})
    words = ["curl", "-sS", f"{live.server()}/v1/images/generations", "-H", "Content-Type: application/json", "-d", body]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout)
    expected = drawn(open_bundle(made.of_task("generate")).model, DrawSettings(count=1, labels=("a",), seed=1))
    assert np.abs(pixels(told["data"][0]["b64_json"]).astype(int) - expected[0]).max() <= 1


def test_the_description_holds_a_request_that_is_answered():
    described = create(settings(made.painter())).openapi()["paths"]["/v1/images/generations"]["post"]
    assert described["requestBody"]["content"]["application/json"]["example"] == {
        "model": "model", "prompt": "a", "n": 2, "seed": 0,
    }  # fmt: skip
