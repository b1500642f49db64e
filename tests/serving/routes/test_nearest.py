from __future__ import annotations

import pytest

from tests.serving import house
from tests.serving.test_app import is_error
from zhuji.tools.nearest import index, nearest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("near")
    (where / "rows.csv").write_text("text,label\n" + "".join(f"word {i} cat,{'ab'[i % 2]}\n" for i in range(30)))
    index(house.bundle(), where / "rows.csv", where / "index")
    return where / "index"


def test_the_nearest_rows_are_those_of_python(folder):
    found = house.post(house.settings(index=str(folder)), "/nearest", json={"input": "word 7", "k": 3}).json()
    (hits,) = nearest(folder, ["word 7"], 3)
    assert [(row["text"], row["label"]) for row in found["rows"]] == [(hit.input, hit.label) for hit in hits]
    assert [row["likeness"] for row in found["rows"]] == pytest.approx([hit.score for hit in hits], abs=1e-5)


def test_without_an_index_of_the_model_it_says_so(folder):
    is_error(house.post(house.settings(), "/nearest", json={"input": "a"}), 404)
    told = house.settings(house.bundle(), house.bundle(4), index=str(folder))
    is_error(house.post(told, "/nearest", json={"input": "a", "model": "model1"}), 404)


@pytest.mark.parametrize(
    "asked", [{}, {"input": 3}, {"input": "a", "k": 0}, {"input": "a", "k": 1000}, {"input": "a", "more": 1}]
)
def test_what_cannot_be_is_refused(folder, asked):
    is_error(house.post(house.settings(index=str(folder)), "/nearest", json=asked), 422)
