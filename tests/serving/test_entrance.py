"""The second door: keys, rates, names and numbers."""

from __future__ import annotations

import asyncio
import hmac

import pytest

from tests.serving import house
from tests.serving.test_app import is_error
from zhuji.core.errors import BadSetting
from zhuji.serving import entrance


def status(told, path="/models", method="GET", **more):
    async def ask(client, _):
        return await client.request(method, path, **more)

    return house.talk(told, ask)


def test_without_a_right_key_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv(entrance.KEYS, "first, second")
    (tmp_path / "keys").write_text("third\n\n")
    told = house.settings(keys_file=str(tmp_path / "keys"))
    compared = []
    monkeypatch.setattr(
        entrance.hmac, "compare_digest", lambda a, b, real=hmac.compare_digest: compared.append(a) or real(a, b)
    )

    async def ask(client, _):
        wrong = [await client.get(path, headers=headers) for path in ("/models", "/openapi.json", "/metrics", "/nothing")
                 for headers in ({}, {"Authorization": "Bearer firs"}, {"Authorization": "Basic first"}, {"X-API-Key": b"\xff"})]  # fmt: skip
        right = [await client.get("/models", headers=headers) for headers in
                 ({"Authorization": "Bearer first"}, {"authorization": "bearer second"}, {"X-API-Key": "third"})]  # fmt: skip
        return wrong, right, [await client.get("/health/live"), await client.get("/health/ready")]

    wrong, right, probes = house.talk(told, ask)
    for response in wrong:
        error = is_error(response, 401)
        assert error["type"] == "authentication_error" and response.headers["www-authenticate"] == "Bearer"
    assert [response.status_code for response in (*right, *probes)] == [200] * 5
    assert len(compared) == 3 * (len(wrong) + len(right)), "every key is compared, whichever fits"


def test_a_file_without_keys_is_no_open_door(tmp_path):
    (tmp_path / "keys").write_text("\n")
    for path in (tmp_path / "keys", tmp_path / "nothing"):
        with pytest.raises(BadSetting, match="one key a line"):
            entrance.keys_of(house.settings(keys_file=str(path)))


def test_who_asks_too_often_waits_and_others_do_not(monkeypatch):
    monkeypatch.setenv(entrance.KEYS, "a,b")

    async def ask(client, _):
        first = [await client.get("/models", headers={"X-API-Key": "a"}) for _ in range(4)]
        other = await client.get("/models", headers={"X-API-Key": "b"})
        return first, other, await client.get("/health/live")

    first, other, probe = house.talk(house.settings(rate=0.5), ask)
    assert [response.status_code for response in first] == [200, 429, 429, 429]
    error = is_error(first[-1], 429)
    assert error["type"] == "rate_limit_error" and 1 <= int(first[-1].headers["retry-after"]) <= 2
    assert (other.status_code, probe.status_code) == (200, 200)


def test_a_bucket_fills_again(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(entrance.time, "monotonic", lambda: now[0])
    rate = entrance._Rate(2.0)
    assert [rate.wait("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    now[0] = 0.6
    assert [rate.wait("a"), rate.wait("a")] == [0, 1]
    monkeypatch.setattr(entrance, "REMEMBERED", 10)
    for number in range(50):
        rate.wait(str(number))
    assert len(rate._buckets) <= 11


@pytest.mark.parametrize(
    ("headers", "more", "expected"),
    [
        ({"Host": "evil.example"}, {}, 421), ({"Host": "localhost:8000"}, {}, 200), ({"Host": "[::1]:80"}, {}, 200),
        ({"Host": "models.example"}, {"hosts": ["models.example"]}, 200), ({"Host": "anything"}, {"host": "0.0.0.0"}, 200),
        ({"Host": "anything"}, {"host": "0.0.0.0", "hosts": ["models.example"]}, 421),
        ({"Host": "["}, {}, 421), ({"Host": "Models.Example"}, {"hosts": ["MODELS.example"]}, 200), ({"Origin": "http://["}, {}, 403),
        ({"Origin": "https://evil.example"}, {}, 403), ({"Origin": "null"}, {}, 403), ({"Origin": "http://localhost"}, {}, 200),
    ],
)  # fmt: skip
def test_a_strangers_page_cannot_reach_it(headers, more, expected):
    response = status(house.settings(**more), headers=headers)
    assert response.status_code == expected
    if expected != 200:
        is_error(response, expected)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v2/health/live"])
def test_probes_ask_by_an_address(path):
    async def ask(client, _):
        return await client.get(path, headers={"Host": "10.1.2.3:8000"})

    assert house.talk(house.settings(hosts=["models.example"], host="0.0.0.0"), ask).status_code == 200


def test_a_full_house_refuses_and_probes_come_in():
    async def ask(client, app):
        release = asyncio.Event()
        service = app.state.service
        answer = service.answer

        async def slow(*asked):
            await release.wait()
            return await answer(*asked)

        service.answer = slow
        waiting = [asyncio.create_task(client.post("/predict", json={"input": "a"})) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused, probe, metrics = [await client.get(path) for path in ("/models", "/health/ready", "/metrics")]
        release.set()
        return refused, probe, metrics, await asyncio.gather(*waiting)

    refused, probe, metrics, answered = house.talk(house.settings(requests=2), ask)
    assert is_error(refused, 503)["code"] == "busy" and refused.headers["retry-after"] == "1"
    assert [one.status_code for one in (probe, metrics, *answered)] == [200] * 4


def test_a_look_at_the_page_is_no_request_to_a_model():
    async def ask(client, _):
        return [(await client.get("/page/page.js")).status_code for _ in range(20)]

    assert house.talk(house.settings(rate=0.5), ask) == [200] * 20
