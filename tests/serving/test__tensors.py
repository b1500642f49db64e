from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from zhuji.core.contracts import Prediction
from zhuji.core.refusals import Refused
from zhuji.serving._tensors import Asked, Tensor, described, read, tensors, write

TEXTS = strategies.lists(strategies.text(strategies.characters(exclude_categories=["Cs"])), min_size=1, max_size=8)


def request(texts: list[str], behind: bytes | None = None) -> tuple[bytes, str | None]:
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES"}
    tensor |= {"data": texts} if behind is None else {"parameters": {"binary_data_size": len(behind)}}
    start = json.dumps({"id": "7", "inputs": [tensor]}).encode()
    return start + (behind or b""), None if behind is None else str(len(start))


@given(TEXTS)
def test_texts_arrive_as_triton_writes_them(texts):
    packed = serialize_byte_tensor(np.array([text.encode() for text in texts], object)).item()
    for body, header in (request(texts), request(texts, packed)):
        assert read(body, header, 8) == Asked(texts, "7")


@given(TEXTS)
def test_texts_leave_as_triton_reads_them(texts):
    raw = Tensor("label", "BYTES", (len(texts),), texts).raw
    assert [text.decode() for text in deserialize_bytes_tensor(raw)] == texts


@given(TEXTS, strategies.data())
def test_bytes_that_were_changed_are_refused_or_other_texts(texts, data):
    """Never more rows than the shape says, and never another error."""
    packed = bytearray(serialize_byte_tensor(np.array([text.encode() for text in texts], object)).item())
    packed[data.draw(strategies.integers(0, len(packed) - 1))] ^= data.draw(strategies.integers(1, 255))
    body, header = request(texts, bytes(packed))
    try:
        assert len(read(body, header, 8).texts) == len(texts)
    except Refused as error:
        assert error.param == "inputs.data"


@given(strategies.binary(max_size=60), strategies.one_of(strategies.none(), strategies.text(max_size=6)))
def test_garbage_is_refused(body, header):
    with pytest.raises(Refused):
        read(body, header, 8)


PREDICTIONS = [Prediction("a", 0.75, {"a": 0.75, "b": 0.25}), Prediction("b", None, {"a": 0.5, "b": 0.5})]


def test_outputs_are_those_that_were_asked_for_in_their_order():
    found = tensors(described("class", ("a", "b"), 0), ("a", "b"), PREDICTIONS, [])
    body, length = write({"model_name": "m"}, Asked([], "7", {"scores": True, "label": False}), found)
    told = json.loads(body[:length])
    assert told == {
        "model_name": "m", "id": "7",
        "outputs": [
            {"name": "scores", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}},
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
        ],
    }  # fmt: skip
    assert np.frombuffer(body[length:], "<f4").tolist() == [0.75, 0.25, 0.5, 0.5]


def test_without_bytes_there_is_no_length():
    body, length = write({}, Asked([]), tensors(described("class", ("a", "b"), 0), ("a", "b"), PREDICTIONS, []))
    assert length is None
    # A score that there is not is null: JSON knows no NaN.
    assert [one["data"] for one in json.loads(body)["outputs"]] == [["a", "b"], [0.75, None], [0.75, 0.25, 0.5, 0.5]]


def test_an_output_that_there_is_not_is_refused_by_name():
    with pytest.raises(Refused, match="'logits'"):
        write({}, Asked([], None, {"logits": False}), [])


@pytest.mark.parametrize(("answers", "prediction", "data"), [
    ("classes", Prediction(("a", "b"), 0.5, {"a": 0.5, "b": 0.5}), '["a", "b"]'), ("number", Prediction(1.25), 1.25),
    ("tags", Prediction(("O", "B-x"), 0.5), '["O", "B-x"]'), ("vector", Prediction([1.5, 2.0]), 1.5),
    ("text", Prediction("drei", 0.5), "drei"), ("units", Prediction((3, 4)), "[3, 4]"),
])  # fmt: skip
def test_each_kind_of_answer(answers, prediction, data):
    outputs = described(answers, ("a", "b"), 2)
    found = tensors(outputs, ("a", "b"), [prediction], [("the", "cat")])
    assert [(one.name, one.datatype) for one in found] == [(one["name"], one["datatype"]) for one in outputs]
    assert all(list(one.shape)[1:] == told["shape"][1:] for one, told in zip(found, outputs, strict=True))
    assert found[0].flat[0] == data
