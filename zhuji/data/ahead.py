"""Work on rows before they are asked for, by threads: what reads files and decodes pictures leaves Python's lock free meanwhile."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = max(1, min(8, os.cpu_count() or 1))
PORTION = 16
"""Items that a thread takes at a time: handing over costs as much as decoding a small picture."""


def ahead(items: Iterable[T], work: Callable[[T], R], threads: int = THREADS, portion: int = PORTION) -> Iterator[tuple[T, R]]:
    """`(item, work(item))` in order; at most four portions a thread wait. An error in `work` comes where its item would have come."""
    remaining = iter(items)
    waiting: deque[tuple[list[T], Future[list[R]]]] = deque()

    def portions() -> Iterator[list[T]]:
        while some := list(islice(remaining, portion)):
            yield some

    def worked(part: list[T]) -> list[R]:
        return [work(item) for item in part]

    with ThreadPoolExecutor(threads, "zhuji-ahead") as pool:
        try:
            for some in portions():
                waiting.append((some, pool.submit(worked, some)))
                if len(waiting) > 4 * threads:
                    done, results = waiting.popleft()
                    yield from zip(done, results.result(), strict=True)
            while waiting:
                done, results = waiting.popleft()
                yield from zip(done, results.result(), strict=True)
        finally:
            for _, results in waiting:
                results.cancel()
