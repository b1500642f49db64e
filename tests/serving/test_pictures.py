"""What only models of pictures do over HTTP; what they do as those of sounds: `test_media.py`."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tests.serving import house, made
from tests.serving.media import PICTURES, bundle, raws, told
from zhuji.model.bundle import open_bundle
from zhuji.model.explain import explain


def test_an_explanation_is_the_map_of_python():
    found = house.post(told(PICTURES), "/explain", json={"input": PICTURES.sent(raws(PICTURES)[0])}).json()
    (expected,) = explain(open_bundle(bundle(PICTURES)), raws(PICTURES)[0])
    assert found["about"] == expected.about == found["prediction"]["answer"] and found["parts"] == []
    assert np.array(found["map"]) == pytest.approx(expected.map, abs=1e-4)
    assert found["covers"] == pytest.approx(expected.covers) and found["size"] == list(expected.size)
    other = next(name for name in open_bundle(bundle(PICTURES)).model.task.classes if name != expected.about)
    assert (
        house.post(told(PICTURES), "/explain", json={"input": PICTURES.sent(raws(PICTURES)[0]), "about": other}).json()["about"]
        == other
    )


def test_objects_are_explained_one_at_a_time():
    answer = house.post(
        house.settings(made.of_task("detect")), "/explain", json={"input": PICTURES.sent(raws(PICTURES)[0])}
    ).json()
    assert answer["prediction"]["answer"] == [] and answer["about"] is None and answer["parts"] == []


@pytest.mark.parametrize(
    "raw", [{"picture": base64.b64encode(b"x" * 99).decode()}, {"picture": "?"}, {"path": "/etc/passwd"}, "a text"]
)
def test_what_is_no_picture_cannot_be_explained(raw):
    answer = house.post(told(PICTURES), "/explain", json={"input": raw})
    assert 400 <= answer.status_code < 500 and answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_why_a_picture_cannot_be_read_is_told_in_one_language(path):
    """Pictures are read in other threads than requests."""

    async def ask(client, _):
        given = {"input": {"picture": base64.b64encode(b"\xff\xd8\xff").decode()}}
        return [await client.post(path, json=given, headers={"Accept-Language": name}) for name in ("zh", "en")]

    chinese, english = (answer.json()["error"]["message"] for answer in house.talk(told(PICTURES), ask))
    assert "图片不完整" in chinese and "picture" not in chinese
    assert "truncated picture" in english and english.isascii() and english.count("Fix:") == 1
