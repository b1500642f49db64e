"""Whatever a model of random weights writes under a constraint is what the constraint asks for."""

import json
import re
import sys

import pytest
import torch

from tests.model.writers import text, writer
from zhuji.core.errors import BadSetting, MissingExtra
from zhuji.model.constrain import Constraint
from zhuji.model.generate import GenerateSettings, generate

SCHEMA = {
    "type": "object",
    "properties": {"name": {"enum": ["cat", "筑基"]}, "age": {"type": "integer", "minimum": 0, "maximum": 99}, "is": {"type": "boolean"}},
    "required": ["name", "age", "is"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}  # fmt: skip
EXPRESSION = r"(\+?[0-9]{3}-)?[a-c]{2,5}(是|不是)😀?"


@pytest.mark.parametrize("tokenizer", ["bpe", "bytes"])
@pytest.mark.parametrize("how", ["sample", "greedy", "beam"])
def test_every_text_follows_the_schema(tokenizer, how):
    model = writer(loud=2.0, tokenizer=tokenizer)
    found = generate(
        model, ["the cat", "a"] * 5, GenerateSettings(how=how, max_units=120, json_schema=json.dumps(SCHEMA), beams=2)
    )
    for one in found:
        assert one.ended
        value = json.loads(one.text)
        assert value.keys() == {"name", "age", "is"}
        assert value["name"] in ("cat", "筑基") and 0 <= value["age"] <= 99 and isinstance(value["is"], bool)


@pytest.mark.parametrize("tokenizer", ["bpe", "bytes", "unigram"])
def test_every_text_matches_the_expression(tokenizer):
    model = writer(tokenizer=tokenizer)
    found = generate(model, ["the cat"] * 12, GenerateSettings(max_units=60, regex=EXPRESSION, temperature=2.0))
    assert all(one.ended and re.fullmatch(EXPRESSION, one.text) for one in found)
    assert len({one.text for one in found}) > 3


def test_names_of_reserved_ids_are_no_text():
    constraint = Constraint(text(), regex=".{0,40}")
    allowed = constraint([0], [()])[0]
    assert allowed.nonzero()[:, 0].tolist() != [] and not allowed[[0, 1, 2, 4]].any()
    assert allowed[3]  # the end: the empty text matches
    assert not Constraint(text(), regex=".{4,40}")([0], [()])[0][:5].any()


def test_a_history_may_come_from_anywhere():
    """As after a beam search that has changed its mind."""
    one, other = Constraint(text(tokenizer="bytes"), regex="abc|axy"), Constraint(text(tokenizer="bytes"), regex="abc|axy")
    a, b, x = (text(tokenizer="bytes").encode([c])[0].ids[0].item() for c in "abx")
    one([0, 0], [(), ()])
    one([0, 0], [(a,), (a,)])
    assert torch.equal(one([0, 0], [(a, b), (a, x)]), other([0, 0], [(a, b), (a, x)]))


@pytest.mark.parametrize(
    "asked, told",
    [
        ({"json_schema": "{"}, "json_schema"),
        ({"json_schema": '{"type": "nonsense"}'}, "json_schema"),
        ({"regex": "(("}, "regex"),
    ],
)
def test_what_cannot_be_read_is_refused(asked, told):
    with pytest.raises(BadSetting, match=told):
        Constraint(text(), **asked)


@pytest.mark.parametrize("tokenizer", ["words", "wordpiece", "characters"])
def test_who_does_not_write_bytes_is_refused(tokenizer):
    with pytest.raises(BadSetting, match="bytewise"):
        Constraint(text(tokenizer=tokenizer), regex="a")


def test_the_library_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtra, match="llguidance"):
        Constraint(text(), regex="a")
