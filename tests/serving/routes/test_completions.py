"""Asked by the `openai` client, in a process of its own, of a server in another."""

from __future__ import annotations

import openai
import pytest

from tests.serving import made
from zhuji.model.bundle import open_bundle
from zhuji.model.generate import GenerateSettings, units_of
from zhuji.tools.generate import generate

pytestmark = pytest.mark.enable_socket
PROMPTS = ["the cat", "筑基：", "", "a b c"]
GREEDY = GenerateSettings(how="greedy", max_units=9)


@pytest.fixture(scope="module")
def predictor():
    return open_bundle(made.writer())


def ask(client, **asked):
    return client.completions.create(**{"model": "gpt", "temperature": 0, "max_tokens": 9, "prompt": "the cat", **asked})


@pytest.fixture
def prompts(predictor):
    # A vocabulary without a start cannot begin from nothing.
    return [prompt for prompt in PROMPTS if prompt or predictor.model.modality.spec.start is not None]


def test_completions_are_those_of_python(client, predictor, prompts):
    found, expected = ask(client, prompt=prompts), generate(predictor, prompts, GREEDY).texts
    assert [choice.text for choice in found.choices] == [one.text for one in expected]
    assert [choice.index for choice in found.choices] == list(range(len(prompts)))
    assert [choice.finish_reason for choice in found.choices] == ["stop" if one.ended else "length" for one in expected]
    assert found.usage.completion_tokens == sum(one.units for one in expected)
    assert found.usage.prompt_tokens == sum(units_of(predictor.model, prompt) for prompt in prompts)
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


@pytest.mark.parametrize("more", [
    {}, {"temperature": 0.7, "top_p": 0.9, "seed": 4}, {"temperature": None, "seed": -(2**63)}, {"echo": True}, {"stop": ["e", "a"]},
    {"stop": " "}, {"max_tokens": None},
], ids=repr)  # fmt: skip
def test_a_stream_is_the_whole_in_pieces(client, more):
    whole = ask(client, **more)
    events = list(ask(client, stream=True, stream_options={"include_usage": True}, **more))
    *pieces, last, counted = events
    assert "".join(piece.choices[0].text for piece in [*pieces, last]) == whole.choices[0].text
    assert [piece.choices[0].finish_reason for piece in pieces] == [None] * len(pieces)
    assert last.choices[0].finish_reason == whole.choices[0].finish_reason
    assert counted.choices == [] and counted.usage == whole.usage
    assert {(piece.id, piece.model, piece.object) for piece in events} == {(events[0].id, "gpt", "text_completion")}


def test_settings_mean_what_they_mean_in_python(client, predictor):
    found = ask(client, temperature=0.7, top_p=0.9, seed=4, n=3, stop="e")
    settings = GenerateSettings(temperature=0.7, top_p=0.9, seed=4, max_units=9, stop=("e",))
    expected = generate(predictor, ["the cat"] * 3, settings).texts
    assert [choice.text for choice in found.choices] == [one.text for one in expected]
    assert found.usage.prompt_tokens == units_of(predictor.model, "the cat")


def test_without_a_seed_chance_is_new_each_time(client):
    asked = {"temperature": 1.5, "max_tokens": 30}
    assert len({ask(client, **asked).choices[0].text for _ in range(3)}) > 1


def test_an_echo_is_what_the_model_read(client):
    plain, echoed = (ask(client, prompt="the  cat", echo=echo).choices[0].text for echo in (False, True))
    assert echoed == "the cat" + plain


@pytest.mark.parametrize(("asked", "error", "param"), [
    ({"model": "nobody"}, openai.NotFoundError, "model"),
    ({"model": "pets"}, openai.BadRequestError, "model"),
    ({"prompt": [1, 2]}, openai.UnprocessableEntityError, "prompt"),
    ({"prompt": "the cat " * 100}, openai.BadRequestError, "prompt"),
    ({"logprobs": 1}, openai.BadRequestError, "logprobs"),
    ({"suffix": "end"}, openai.BadRequestError, "suffix"),
    ({"logit_bias": {"5": 1}}, openai.BadRequestError, "logit_bias"),
    ({"presence_penalty": 0.5}, openai.BadRequestError, "presence_penalty"),
    ({"extra_body": {"top_k": 5}}, openai.BadRequestError, "top_k"),
    ({"temperature": -1}, openai.UnprocessableEntityError, "temperature"),
    ({"max_tokens": 0}, openai.UnprocessableEntityError, "max_tokens"),
    ({"max_tokens": 100_000}, openai.APIStatusError, "max_tokens"),
    ({"stop": ["a"] * 5}, openai.UnprocessableEntityError, None),
    ({"best_of": 3}, openai.UnprocessableEntityError, None),
    ({"n": 2, "stream": True}, openai.UnprocessableEntityError, None),
])  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_is_refused_by_name(client, asked, error, param, stream):
    """Also of a stream the status tells: nothing was sent yet."""
    with pytest.raises(error) as caught:
        ask(client, **{"stream": stream, **asked})
    assert caught.value.type == "invalid_request_error"
    assert param is None or caught.value.param == param


def test_what_asks_for_nothing_is_passed_over(client):
    more = {
        "user": "ada",
        "suffix": None,
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "best_of": 1,
        "logprobs": None,
    }
    assert ask(client, **more).choices == ask(client).choices


def test_whoever_leaves_a_stream_leaves_the_server_well(client):
    for _ in range(3):
        events = ask(client, stream=True, max_tokens=900)
        next(iter(events))
        events.close()
    assert ask(client).choices[0].text
