"""Asked by the `openai` client, in a process of its own, of a server in another."""

from __future__ import annotations

import base64

import numpy as np
import openai
import pytest

from tests.serving import made
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import embed, encoded

pytestmark = pytest.mark.enable_socket
TEXTS = [*made.TEXTS, "the cat sat " * 60]


def test_models(client):
    listed = {model.id: model for model in client.models.list().data}
    assert list(listed) == ["pets", "gpt", "talk", "art", "noise", "ear", "voice"]
    assert client.models.retrieve("gpt") == listed["gpt"]
    assert listed["gpt"].object == "model" and listed["gpt"].created > 1_700_000_000
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody")
    assert caught.value.code == "no_such_model"


@pytest.mark.parametrize("form", ["float", "base64", None])
@pytest.mark.parametrize("model", ["pets", "gpt"])
def test_embeddings_are_those_of_python(client, model, form):
    predictor = open_bundle(made.of_task("classify") if model == "pets" else made.writer())
    expected = list(embed(predictor, TEXTS))
    asked = {} if form is None else {"encoding_format": form}
    found = client.embeddings.create(model=model, input=TEXTS, dimensions=len(expected[0]), **asked)
    assert [row.index for row in found.data] == list(range(len(TEXTS)))
    for row, vector in zip(found.data, expected, strict=True):
        given = row.embedding
        if isinstance(given, str):
            given = np.frombuffer(base64.b64decode(given), "<f4")
        assert list(given) == pytest.approx(list(vector), abs=1e-5)
    units = sum(row.length for row in encoded(predictor, TEXTS))
    assert found.usage.prompt_tokens == found.usage.total_tokens == units


def test_one_text_and_one_in_a_list_are_the_same(client):
    one, listed = (client.embeddings.create(model="pets", input=given).data for given in ("the cat", ["the cat"]))
    assert one == listed


@pytest.mark.parametrize(("asked", "error", "param"), [
    ({"model": "nobody"}, openai.NotFoundError, "model"),
    ({"dimensions": 3}, openai.BadRequestError, "dimensions"),
    ({"input": []}, openai.UnprocessableEntityError, "input"),
    ({"input": [[1, 2], [3]]}, openai.UnprocessableEntityError, "input"),
    ({"input": ["a", 1]}, openai.UnprocessableEntityError, "input"),
    ({"encoding_format": "int8"}, openai.UnprocessableEntityError, "encoding_format"),
    ({"extra_body": {"truncate": "left"}}, openai.BadRequestError, "truncate"),
    ({"input": ["a"] * 5000}, openai.APIStatusError, "input"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(client, asked, error, param):
    with pytest.raises(error) as caught:
        client.embeddings.create(**{"model": "pets", "input": "a", **asked})
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


def test_what_changes_no_answer_is_passed_over(client):
    plain = client.embeddings.create(model="pets", input="a")
    assert client.embeddings.create(model="pets", input="a", user="ada", extra_body={"metadata": {"a": "b"}}).data == plain.data
