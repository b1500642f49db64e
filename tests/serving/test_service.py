"""What routes may ask for, beside what the lane's and the shelf's tests show."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.serving import house
from zhuji.core.refusals import NoSuchModel, NotAnswerable, TooLarge
from zhuji.model.pooled import embed
from zhuji.serving.service import Service


def served(work, **more):
    async def whole():
        service = Service(house.settings(**more))
        try:
            return await work(service)
        finally:
            await service.close()

    return asyncio.run(whole())


def test_answers_vectors_and_work_are_those_of_python():
    async def work(service):
        return (
            await service.answer(None, house.TEXTS), await service.embed("model", house.TEXTS), await service.embed(None, []),
            await service.run(None, lambda predictor: len(predictor.golden)),
            [piece async for piece in service.stream(None, lambda predictor: iter(["a", "b"]))],
        )  # fmt: skip

    answers, vectors, none, golden, pieces = served(work)
    for one, other in zip(answers.predictions, house.predictor().predict(house.TEXTS), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
    assert answers.served.name == "model" and answers.seconds > 0
    np.testing.assert_allclose(vectors, np.stack(list(embed(house.predictor(), house.TEXTS))), atol=1e-5)
    assert none.shape == (0, vectors.shape[1]) and vectors.dtype == np.float32
    assert golden == len(house.predictor().golden) and pieces == ["a", "b"]


@pytest.mark.parametrize("raw", [3, None, [], ["a", 1], {"a": 1}, b"a", [["a"]]])
def test_an_input_is_a_text_or_words(raw):
    with pytest.raises(NotAnswerable) as caught:
        served(lambda service: service.answer(None, ["a", raw]))
    assert caught.value.param == "inputs[1]"


def test_bounds_and_names():
    with pytest.raises(TooLarge):
        served(lambda service: service.answer(None, ["a"] * 3), request_rows=2)
    for ask in (Service.answer, Service.embed):
        with pytest.raises(NoSuchModel):
            served(lambda service, ask=ask: ask(service, "nobody", ["a"]))
    with pytest.raises(NoSuchModel):
        served(lambda service: service.run("nobody", len))


def test_long_inputs_are_read_beside_the_lane():
    long = "word " * 3000

    async def work(service):
        return await service.answer(None, [long, "a"])

    for one, other in zip(served(work).predictions, house.predictor().predict([long, "a"]), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
