"""The next batches are made in the background, in order, while the current one is trained on."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 4


@contextlib.contextmanager
def prefetched(make: Callable[[int], T], start: int, end: int, depth: int = _DEPTH) -> Generator[Iterator[tuple[int, T]]]:
    """An iterator over `(number, make(number))` for start <= number < end. At most `depth` wait; an error in `make` is raised
    where its item would have come. `make` must draw no random numbers: torch's generator belongs to the training thread."""
    ready: queue.Queue[tuple[int, T] | BaseException | None] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: tuple[int, T] | BaseException | None) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for number in range(start, end):
                if stop.is_set():
                    return
                put((number, make(number)))
            put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
            put(error)

    def items() -> Iterator[tuple[int, T]]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=work, name="zhuji-prefetch", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        stop.set()
        thread.join()
