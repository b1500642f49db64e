"""The third door: bounds on bodies, and clients that leave."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from tests.serving import house
from tests.serving.test_app import is_error

SCOPE = {
    "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/predict", "raw_path": b"/predict",
    "query_string": b"", "root_path": "", "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
}  # fmt: skip
JSON = [(b"host", b"localhost"), (b"content-type", b"application/json")]


def visit(told, messages, headers=JSON, work=None):
    """What the application sends to a client that behaves as `messages` say: parts of a body, seconds to wait, or `left`."""

    async def whole(client, app):
        sent, script = [], iter(messages)

        async def receive():
            for one in script:
                if isinstance(one, float):
                    await asyncio.sleep(one)
                elif one == "left":
                    return {"type": "http.disconnect"}
                else:
                    body, more = one
                    return {"type": "http.request", "body": body, "more_body": more}
            return await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        if work:
            work(app)
        await app({**SCOPE, "headers": headers, "state": {}}, receive, send)
        return sent

    return house.talk(told, whole)


def status_of(sent):
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


def test_a_body_that_tells_no_length_is_bounded_while_it_comes():
    read = []

    def parts():
        for number in range(1000):
            read.append(number)
            yield (b"a" * 1000, True)

    status, headers, told = status_of(visit(house.settings(body=10_000), parts()))
    assert status == 413 and told["error"]["code"] == "too_large" and headers[b"connection"] == b"close"
    assert 11 < len(read) <= 52, "some of the rest is read, so that the client sees why, and not all"


def test_a_length_that_is_too_large_is_refused_before_a_byte_is_read():
    sent = visit(house.settings(body=10_000), [60.0, (b"", False)], [*JSON, (b"content-length", b"99999999999")])
    assert status_of(sent)[0] == 413


def test_a_body_that_does_not_come_is_given_up():
    status, headers, _ = status_of(visit(house.settings(body_timeout=0.2), [(b"{", True), 60.0]))
    assert status == 408 and headers[b"connection"] == b"close"


def test_all_bodies_together_are_bounded():
    status, headers, told = status_of(visit(house.settings(bodies=10), [(b'{"input": "a"}', False)]))
    assert (status, told["error"]["code"]) == (503, "busy") and headers[b"retry-after"] == b"1"


def test_a_body_that_breaks_off_is_answered_by_nobody():
    assert visit(house.settings(), [(b'{"input"', True), "left"]) == []


def test_a_client_that_leaves_is_worked_for_no_longer():
    computed = threading.Event()

    def slow(app):
        lane = app.state.service.find(None).lane
        answers, ready = lane.predictor.answers, lane.predictor.ready
        lane.predictor.answers = lambda *asked: computed.set() or answers(*asked)
        lane.predictor.ready = lambda inputs: time.sleep(0.4) or ready(inputs)

    sent = visit(house.settings(), [(b'{"input": "a"}', False), 0.1, "left"], work=slow)
    assert sent == [] and not computed.is_set()


@pytest.mark.parametrize(("levels", "status"), [(14, 422), (17, 400), (2000, 400)])
def test_json_is_bounded_in_depth(levels, status):
    text = b'{"inputs": ' + b"[" * levels + b"]" * levels + b"}"
    response = house.post(house.settings(), "/predict", content=text, headers={"content-type": "application/json"})
    is_error(response, status)


def test_brackets_in_a_text_are_no_depth():
    response = house.post(house.settings(), "/predict", json={"inputs": ["[" * 500, "{" * 500]})
    assert response.status_code == 200
