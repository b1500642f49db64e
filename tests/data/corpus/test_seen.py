import os
from contextlib import closing

import pytest

from zhuji.core.errors import ScratchFull
from zhuji.data.corpus import seen as module
from zhuji.data.corpus.seen import Seen


def test_a_key_is_new_once_like_in_a_set_of_python(monkeypatch):
    monkeypatch.setattr(module, "CACHE_KIB", 64)  # so that most of it lies on disk
    keys = [os.urandom(16) for _ in range(30_000)] + [b"\0" * 16, b"\xff" * 16, b"\x7f" + b"\xff" * 15]
    known = set()
    with closing(Seen()) as seen:
        for key in keys + keys[::-3]:
            assert seen.add(key) == (key not in known)
            known.add(key)


def test_the_first_eight_bytes_count():
    with closing(Seen()) as seen:
        assert [seen.add(b"abcdefgh" + end) for end in (b"12345678", b"87654321")] == [True, False]
        assert seen.add(b"abcdefgH" + b"12345678")


def test_a_full_disk_is_told(monkeypatch):
    monkeypatch.setattr(module, "CACHE_KIB", 64)
    with closing(Seen()) as seen:
        seen._table.execute("PRAGMA max_page_count = 4")
        with pytest.raises(ScratchFull, match=r"\(SQLite: database or disk is full\).*TMPDIR"):
            for _ in range(10_000):
                seen.add(os.urandom(8))
