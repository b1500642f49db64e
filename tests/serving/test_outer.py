"""The outermost door: ids, headers and the journal."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.serving import house


def lines(capsys, event):
    return [told for line in capsys.readouterr().err.splitlines() if (told := json.loads(line))["event"] == event]


def test_every_response_has_the_headers(capsys):
    async def ask(client, _):
        return [await client.get("/models"), await client.get("/nothing"), await client.post("/predict", content=b"{")]

    for response in house.talk(house.settings(), ask):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-frame-options"] == "DENY" and response.headers["cache-control"] == "no-store"
        assert not [name for name in response.headers if name.startswith("access-control")]
    ids = [told["id"] for told in lines(capsys, "request")]
    assert len(set(ids)) == 3


def test_the_journal_says_what_was_asked_and_not_what_was_sent(capsys):
    async def ask(client, _):
        await client.post("/predict?secret=1", json={"input": "private words", "model": "private"})
        await client.post("/predict", json={"input": "private words"}, headers={"Authorization": "Bearer private"})
        await client.get("/private")

    house.talk(house.settings(), ask)
    err = capsys.readouterr().err
    assert "private" not in err and "secret" not in err
    told = [json.loads(line) for line in err.splitlines()]
    assert [(one["method"], one["route"], one["status"]) for one in told if one["event"] == "request"] == [
        ("POST", "/predict", 404), ("POST", "/predict", 200), ("GET", "(none)", 404),
    ]  # fmt: skip


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("a\tb", False), ("x" * 65, False), ("<script>", False)])
def test_a_clients_id_is_kept_if_it_is_harmless(given, kept):
    async def ask(client, _):
        return await client.get("/models", headers={"X-Request-Id": given})

    assert (house.talk(house.settings(), ask).headers["x-request-id"] == given) == kept


def test_while_it_stops_connections_are_closed_and_probes_hear_of_it():
    async def ask(client, app):
        app.state.service.draining = True
        return [
            await client.get("/health/live"),
            await client.get("/health/ready"),
            await client.post("/predict", json={"input": "a"}),
        ]

    live, ready, answer = house.talk(house.settings(), ask)
    assert (live.status_code, ready.status_code, answer.status_code) == (200, 503, 200)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("asked", "chinese"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", True), ("en-GB, zh;q=0.5", False), ("en;q=0.2,zh-Hans-CN;q=0.7", True), ("fr, *;q=0.1", False),
        ("zh;q=0", False), ("zhuang", False), ("zh;q=2;" * 50, False), ("\xfc,zh", True),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_the_clients_language(asked, chinese):
    """Other languages hear what the server speaks, which is English here."""

    async def ask(client, _):
        headers = {"Accept-Language": asked.encode("latin-1")}
        return [
            await client.get("/nothing", headers=headers),
            await client.post("/predict", json={"inputs": [1]}, headers=headers),
        ]

    for response in house.talk(house.settings(), ask):
        assert chinese == any("\u4e00" <= sign <= "\u9fff" for sign in response.json()["error"]["message"])


def test_of_two_who_ask_at_once_each_hears_its_own():
    async def ask(client, _):
        languages = ["zh", "en", "zh-CN", "en-US"] * 5
        return await asyncio.gather(*(client.get("/nothing", headers={"Accept-Language": name}) for name in languages))

    said = [response.json()["error"]["message"] for response in house.talk(house.settings(), ask)]
    assert said == [said[0], said[1]] * 10 and said[0] != said[1]
