from __future__ import annotations

import pytest

from tests.serving import house
from tests.serving.test_app import is_error
from zhuji.tools.explain import explain


def test_parts_are_those_of_python():
    found = house.post(house.settings(), "/explain", json={"input": "the cat sat"}).json()
    (row,) = explain(house.predictor(), ["the cat sat"])
    assert "".join(part["text"] for part in found["parts"]) == "the cat sat"
    assert [part["weight"] for part in found["parts"]] == pytest.approx(
        [part.weight for part in row.explained[0].parts], abs=1e-5
    )
    assert found["about"] == row.explained[0].about == found["prediction"]["answer"]


def test_another_class_may_be_asked_for():
    other = next(name for name in house.predictor().model.task.classes if name != house.predictor().golden[0]["answer"])
    assert house.post(house.settings(), "/explain", json={"input": "the cat", "about": other}).json()["about"] == other


@pytest.mark.parametrize(("status", "asked"), [(422, {}), (422, {"input": 3}), (400, {"input": "a", "about": "nobody"})])
def test_what_cannot_be_is_refused(status, asked):
    is_error(house.post(house.settings(), "/explain", json=asked), status)


def test_a_model_that_cannot_be_explained_says_so():
    told = house.settings(house.writing_bundle())
    is_error(house.post(told, "/explain", json={"input": "a"}), 400)

    async def ask(client, _):
        return (await client.get("/models")).json()["models"][0]["explains"]

    assert not house.talk(told, ask) and house.talk(house.settings(), ask)
