"""`/predict`: the same answers by JSON, form and file, and row by row what is broken."""

from __future__ import annotations

import asyncio
import csv
import io

import pytest

from tests.serving import house
from tests.serving.test_app import is_error

ROWS = "id,text\n1,the cat sat\n2,\n3,筑基\n".encode()


def told(**request):
    return house.post(house.settings(), "/predict", **request)


def check(found, inputs):
    for one, expected in zip(found, house.predictor().predict(inputs), strict=True):
        assert one["answer"] == expected.answer and one["scores"] == pytest.approx(expected.scores, abs=1e-5)


def test_one_input_and_many():
    async def ask(client, _):
        one = await client.post("/predict", json={"input": "the cat"})
        return one.json(), (await client.post("/predict", json={"model": "model", "inputs": ["the cat", "", "b"]})).json()

    one, many = house.talk(house.settings(), ask)
    check(one["predictions"], ["the cat"])
    check(many["predictions"], ["the cat", "", "b"])
    assert set(one) == {"model", "version", "predictions", "seconds"} and one["model"] == "model"
    assert told(json={"inputs": []}).json()["predictions"] == []


def test_a_file_by_form_and_as_a_body_is_answered_row_by_row():
    async def ask(client, _):
        by_form = client.post("/predict", files={"file": ("../rows.csv", ROWS)}, data={"model": "model"})
        as_body = client.post("/predict?model=model", content=ROWS, headers={"content-type": "text/csv; charset=utf-8"})
        return [response.json() for response in await asyncio.gather(by_form, as_body)]

    for found in house.talk(house.settings(), ask):
        first, broken, last = found["predictions"]
        check([first, last], ["the cat sat", "筑基"])
        assert broken == {"row": 2, "input": None, "error": "empty text"} and (first["row"], last["row"]) == (1, 3)
        assert found["ledger"] == {"read": 3, "used": 2, "dropped": 1, "causes": {"empty text": 1}}


def test_a_file_may_be_answered_as_csv():
    response = told(content=ROWS, headers={"content-type": "text/csv", "accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv") and response.headers["x-model"] == "model"
    found = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["id"], row["error"]) for row in found] == [("1", ""), ("2", "empty text"), ("3", "")]
    expected = list(house.predictor().predict(["the cat sat", "筑基"]))
    assert [found[0]["prediction"], found[2]["prediction"]] == [one.answer for one in expected]
    assert float(found[0]["score"]) == pytest.approx(expected[0].score, abs=1e-5)


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (422, {"files": {"other": ("rows.csv", ROWS)}}), (422, {"data": {"file": "x"}, "files": {"z": b""}}),
        (415, {"files": {"file": ("rows.exe", ROWS)}}), (415, {"files": {"file": ("rows.csv", b"\x1f\x8b\x08")}}),
        (422, {"files": {"file": ("rows.csv", b"")}}), (422, {"files": {"file": ("rows.csv", b"a,b,c\n1,2\n")}}),
        (404, {"files": {"file": ("rows.csv", ROWS)}, "data": {"model": "nobody"}}),
        (422, {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}}),
        (400, {"content": b"", "headers": {"content-type": "multipart/form-data"}}),
        (422, {"content": b"a,a\n1,2\n", "headers": {"content-type": "text/csv"}}),
        (422, {"content": b"a,b\n1,2\n", "headers": {"content-type": "text/csv"}}),
    ],
)  # fmt: skip
def test_broken_files_are_refused(status, request_):
    error = is_error(told(**request_), status)
    assert "/tmp" not in error["message"]


def test_tags_come_with_their_words(tmp_path):
    folder = house.write(tmp_path / "tags", task="tag")
    response = house.post(house.settings(folder), "/predict", json={"inputs": ["the cat sat", ["a", "b"]]})
    first, second = response.json()["predictions"]
    assert first["words"] == ["the", "cat", "sat"] and second["words"] == ["a", "b"]
    assert len(first["answer"]) == 3 and len(second["answer"]) == 2
