import threading

import pytest

from zhuji.data.ahead import ahead


@pytest.mark.parametrize(("threads", "portion", "count"), [(1, 1, 0), (1, 16, 5), (2, 3, 100), (4, 16, 16)])
def test_results_come_in_order(threads: int, portion: int, count: int) -> None:
    assert list(ahead(range(count), lambda n: n * n, threads, portion)) == [(n, n * n) for n in range(count)]


def test_it_works_ahead_but_not_without_bound() -> None:
    taken: list[int] = []

    def items():
        for n in range(1000):
            taken.append(n)
            yield n

    found = ahead(items(), lambda n: n, threads=2, portion=5)
    next(found)
    assert 5 < len(taken) <= 5 * (4 * 2 + 2)
    found.close()
    assert threading.active_count() < 10


def test_an_error_comes_in_its_place() -> None:
    def work(n: int) -> int:
        if n == 7:
            raise ValueError("seven")
        return n

    seen = []
    with pytest.raises(ValueError, match="seven"):
        for n, _ in ahead(range(20), work, threads=2, portion=1):
            seen.append(n)
    assert seen == list(range(7))
