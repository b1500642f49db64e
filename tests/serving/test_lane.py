"""A lane: what is computed together, what is refused, and that a row's fate is its own."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.serving import house
from zhuji.core.refusals import Busy, NotAnswerable, TooLate
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import embed
from zhuji.serving.lane import Lane

POOL = ThreadPoolExecutor(2)


class Told:
    """Hears of batches, and of the longest queue."""

    def __init__(self, batch=lambda *_: None):
        self.batch, self.longest = batch, 0

    def queue(self, rows):
        self.longest = max(self.longest, rows)


def lane(batch=lambda *_: None, predictor=None, **more):
    return Lane("model", predictor or house.predictor(), house.settings(**more), POOL, Told(batch))


class Gate:
    """A job that holds the lane until it is opened."""

    def __init__(self, line):
        self.opened, self.begun = threading.Event(), threading.Event()
        self.task = asyncio.ensure_future(line.run(self._wait))

    def _wait(self, predictor):
        self.begun.set()
        assert self.opened.wait(10)

    async def closed(self):
        await asyncio.to_thread(self.begun.wait, 10)


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.answer == other.answer
        assert one.scores == pytest.approx(other.scores, abs=1e-5)


def test_every_client_gets_what_python_gets():
    rng = np.random.default_rng(0)
    asked = [[house.TEXTS[i] for i in rng.integers(0, len(house.TEXTS), rng.integers(1, 9))] for _ in range(64)]

    async def whole():
        line = lane()
        return await asyncio.gather(*(line.ask("answer", inputs) for inputs in asked))

    for inputs, found in zip(asked, asyncio.run(whole()), strict=True):
        same(found, house.predictor().predict(inputs))


def test_rows_of_many_clients_are_computed_together_in_few_sizes():
    batches = []

    async def whole():
        line = lane(lambda kind, rows, seconds: batches.append(rows))
        gate = Gate(line)
        await gate.closed()
        asking = [asyncio.ensure_future(line.ask("answer", ["the cat sat"])) for _ in range(21)]
        while line.held < 22:
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        gate.opened.set()
        await asyncio.gather(gate.task, *asking)
        assert line.held == 0 and line.rate > 0 and line._told.longest == 22

    asyncio.run(whole())
    assert sorted(batches) == [1, 4, 16]


def test_the_longest_wait_goes_first():
    order = []

    async def whole():
        line = lane()
        gate = Gate(line)
        await gate.closed()

        async def one(name, inputs):
            await line.ask("answer", inputs)
            order.append(name)

        first = asyncio.ensure_future(one("long", [house.TEXTS[-1]]))
        await asyncio.sleep(0.1)
        many = [asyncio.ensure_future(one("short", ["a"])) for _ in range(40)]
        await asyncio.sleep(0.1)
        gate.opened.set()
        await asyncio.gather(gate.task, first, *many)

    asyncio.run(whole())
    assert order[0] == "long"


def test_vectors_are_those_of_python():
    found = asyncio.run(lane().ask("vector", house.TEXTS))
    np.testing.assert_allclose(np.stack(found), np.stack(list(embed(house.predictor(), house.TEXTS))), atol=1e-5)


def test_a_row_that_breaks_the_model_leaves_its_mates_alone(monkeypatch):
    predictor = open_bundle(house.bundle())
    answers = type(predictor).answers

    def fragile(self, rows, *more):
        if any(row.cleaned == "poison" for row in rows):
            raise RuntimeError("the poison of a user")
        return answers(self, rows, *more)

    monkeypatch.setattr(type(predictor), "answers", fragile)

    async def whole():
        line = lane(predictor=predictor)
        gate = Gate(line)
        await gate.closed()
        asking = [asyncio.ensure_future(line.ask("answer", [f"cat {i}"])) for i in range(7)]
        bad = asyncio.ensure_future(line.ask("answer", ["fine", "poison"]))
        await asyncio.sleep(0.2)
        gate.opened.set()
        with pytest.raises(NotAnswerable) as caught:
            await bad
        return caught.value, await asyncio.gather(*asking)

    error, found = asyncio.run(whole())
    assert error.param == "inputs[1]" and "user" not in error.message()
    monkeypatch.undo()
    same([one for (one,) in found], predictor.predict([f"cat {i}" for i in range(7)]))


def test_an_input_that_cannot_be_read_is_named(monkeypatch):
    ready = type(house.predictor()).ready

    def fragile(self, inputs):
        if "poison" in inputs:
            raise ValueError("poison")
        return ready(self, inputs)

    monkeypatch.setattr(type(house.predictor()), "ready", fragile)
    with pytest.raises(NotAnswerable) as caught:
        asyncio.run(lane().ask("answer", ["a", "b", "poison"]))
    assert caught.value.param == "inputs[2]"


def test_what_does_not_fit_is_refused_at_once():
    async def whole():
        line = lane(queue_rows=3)
        gate = Gate(line)
        await gate.closed()
        waiting = asyncio.ensure_future(line.ask("answer", ["a", "b"]))
        await asyncio.sleep(0)
        with pytest.raises(Busy) as caught:
            await line.ask("answer", ["c"])
        gate.opened.set()
        await asyncio.gather(gate.task, waiting)
        await line.ask("answer", ["c"])
        return caught.value

    assert int(asyncio.run(whole()).facts["seconds"]) >= 1


def test_what_cannot_be_answered_in_time_is_refused_at_once():
    async def whole():
        line = lane(timeout=1.0)
        gate = Gate(line)
        await gate.closed()
        line.rate = 2.0
        with pytest.raises(Busy) as caught:
            await line.ask("answer", ["a"] * 10)
        gate.opened.set()
        await gate.task
        return caught.value, line.patience(10)

    error, patience = asyncio.run(whole())
    assert error.facts["seconds"] == 1 and patience == 5


def test_a_row_whose_time_is_up_is_not_computed():
    batches = []

    async def whole():
        line = lane(lambda *batch: batches.append(batch), timeout=0.15)
        gate = Gate(line)
        await gate.closed()
        with pytest.raises(TooLate):
            await line.ask("answer", ["a"])
        gate.opened.set()
        with pytest.raises(TooLate):
            await gate.task
        line.settings = house.settings()
        await line.run(lambda predictor: None)
        assert line.held == 0

    asyncio.run(whole())
    assert not batches


def test_a_client_that_leaves_takes_its_rows_with_it():
    batches = []

    async def whole():
        line = lane(lambda *batch: batches.append(batch))
        gate = Gate(line)
        await gate.closed()
        asking = asyncio.ensure_future(line.ask("answer", ["a"]))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert line.held == 1 and len(line._queue) == 0
        gate.opened.set()
        await gate.task

    asyncio.run(whole())
    assert not batches


def test_a_stream_lets_others_through_and_ends_when_its_reader_leaves():
    closed = threading.Event()

    def endless(predictor):
        try:
            while True:
                time.sleep(0.002)
                yield "x"
        finally:
            closed.set()

    async def whole():
        line = lane(streams=1)
        pieces = line.stream(endless)
        assert await anext(pieces) == "x"
        with pytest.raises(Busy):
            await anext(line.stream(endless))
        await line.ask("answer", ["a"])
        await anext(pieces)
        await pieces.aclose()
        assert (line.held, line.streams) == (0, 0)
        assert [piece async for piece in line.stream(lambda predictor: iter(["a", "b"]))] == ["a", "b"]

        def broken(predictor):
            yield "a"
            raise KeyError

        with pytest.raises(KeyError):
            async for _ in line.stream(broken):
                pass

    asyncio.run(whole())
    assert closed.wait(5)


def test_work_is_done_in_the_models_own_thread_and_fails_where_it_was_asked_for():
    async def whole():
        line = lane()
        names = {await line.run(lambda predictor: threading.current_thread().name) for _ in range(3)}
        with pytest.raises(ZeroDivisionError):
            await line.run(lambda predictor: 1 // 0)
        return names

    assert asyncio.run(whole()) == {"lane-model"}


def test_a_closed_lane_settles_what_it_accepted_and_ends():
    async def whole():
        line = lane()
        gate = Gate(line)
        await gate.closed()
        asking = asyncio.ensure_future(line.ask("answer", ["a"]))
        await asyncio.sleep(0.1)
        line.close()
        gate.opened.set()
        assert len(await asking) == 1
        await gate.task
        await asyncio.to_thread(line.join, 5)
        return line._thread.is_alive()

    assert not asyncio.run(whole())
