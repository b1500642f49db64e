from __future__ import annotations

import asyncio

import pytest

from zhuji.serving.events import event, pieces_of


def test_an_event_is_one_block():
    assert event({"a": "b\nc"}) == b'data: {"a":"b\\nc"}\n\n'
    assert event([], "done") == b"event: done\ndata: []\n\n"


def test_what_goes_wrong_before_the_first_piece_is_raised_at_once():
    async def pieces(*given):
        for one in given:
            if isinstance(one, Exception):
                raise one
            yield one

    async def whole(*given):
        return [piece async for piece in await pieces_of(pieces(*given))]

    assert asyncio.run(whole("a", "b")) == ["a", "b"] and asyncio.run(whole()) == []
    with pytest.raises(KeyError):
        asyncio.run(pieces_of(pieces(KeyError())))
