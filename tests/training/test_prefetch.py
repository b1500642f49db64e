import threading
import time

import pytest

from zhuji.training.prefetch import prefetched


def test_everything_comes_in_order():
    with prefetched(lambda n: n * n, 3, 50) as items:
        assert list(items) == [(n, n * n) for n in range(3, 50)]


def test_nothing_to_do():
    with prefetched(lambda n: n, 5, 5) as items:
        assert list(items) == []


def test_an_error_comes_where_its_item_would():
    got = []
    with pytest.raises(ZeroDivisionError), prefetched(lambda n: 1 / (3 - n), 0, 9) as items:
        for item in items:
            got.append(item[0])
    assert got == [0, 1, 2]


def test_no_more_than_the_depth_is_made_ahead():
    made = []
    with prefetched(made.append, 0, 100, depth=2) as items:
        next(items)
        time.sleep(0.3)
        assert len(made) <= 1 + 2 + 1


def test_the_thread_ends_when_the_block_does():
    with prefetched(lambda n: n, 0, 10**9) as items:
        next(items)
    assert not any(thread.name == "zhuji-prefetch" for thread in threading.enumerate())
