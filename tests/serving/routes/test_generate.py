from __future__ import annotations

import json

import pytest

from tests.serving import house
from tests.serving.test_app import is_error
from zhuji.model.bundle import open_bundle
from zhuji.model.generate import GenerateSettings
from zhuji.tools.generate import generate


def told(**asked):
    return house.post(house.settings(house.writing_bundle()), "/generate", json={"prompt": "the cat", **asked})


def expected(**asked):
    return generate(open_bundle(house.writing_bundle()), ["the cat"], GenerateSettings(**asked)).texts[0].text


@pytest.mark.parametrize(
    "asked", [{"how": "greedy", "max_units": 12}, {"seed": 3, "temperature": 0.7, "top_k": 20, "max_units": 12},
              {"how": "beam", "beams": 2, "max_units": 6}, {"how": "greedy", "max_units": 12, "stop": ("a",)}],
)  # fmt: skip
def test_a_text_is_that_of_python(asked):
    found = told(**asked).json()
    assert found["text"] == expected(**asked) and found["prompt"] == "the cat"


def test_a_streamed_text_is_the_same():
    asked = {"seed": 3, "max_units": 12}
    response = told(stream=True, **asked)
    assert response.headers["content-type"].startswith("text/event-stream")
    *pieces, last = response.text.strip().split("\n\n")
    done = json.loads(last.removeprefix("event: done\ndata: "))
    assert "".join(json.loads(piece.removeprefix("data: "))["text"] for piece in pieces) == done["text"] == expected(**asked)


@pytest.mark.parametrize(
    ("status", "asked"),
    [(400, {"how": "loud"}), (400, {"temperature": 0}), (400, {"nothing": 1}), (400, {"max_units": 10**9}), (422, {"prompt": 3}),
     (422, {"stream": "yes"}), (400, {"how": "beam", "stream": True}), (400, {"prompt": "word " * 500}), (404, {"model": "nobody"}),
     (400, {"regex": "("}), (400, {"json_schema": {"type": 3}}), (422, {"model": 1})],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_the_first_byte(status, asked):
    is_error(told(**asked), status)


def test_a_model_that_does_not_write_says_so():
    is_error(house.post(house.settings(), "/generate", json={"prompt": "a"}), 400)
