"""A lane: one model, its bounded queue and the one thread in which it is asked.

Rows of all clients that wait for the same thing and have one padded length are computed together, beginning with whoever waits longest. While
one batch is computed the next one gathers; an idle lane begins at once. What was asked for and is no longer wanted (its client has
left, its time is up) leaves the queue uncomputed.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from zhuji.core.errors import Busy, NotAnswerable, TooLate, ZhujiError
from zhuji.core.log import in_language
from zhuji.model import pooled
from zhuji.model.predictor import Predictor, padded
from zhuji.serving.settings import ServeSettings
from zhuji.training import threads

Kind = Literal["answer", "vector"]
T = TypeVar("T")

SLICE = 0.01
"""Seconds that a text may be written before others have their turn."""
LONGEST_WAIT = 60
"""Seconds that a client is asked to wait at most."""


@dataclass(eq=False, slots=True)
class _Asking:
    """One request's rows. Only the lane's thread counts `left` down; only the event loop settles `future`."""

    future: asyncio.Future[Any]
    until: float
    results: list[Any]
    left: int


@dataclass(eq=False, slots=True)
class _Row:
    asking: _Asking
    place: int
    item: Any
    born: float


@dataclass(eq=False, slots=True)
class _Job:
    work: Callable[[Predictor], Any]
    asking: _Asking
    born: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row or a job has no answer."""

    error: Exception


@dataclass
class _Queue:
    """What waits, guarded by `changed`."""

    rows: dict[tuple[Kind, int], OrderedDict[_Row, None]] = field(default_factory=dict)
    jobs: deque[_Job] = field(default_factory=deque)
    closing: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)


class Told(Protocol):
    """Who hears what a lane does."""

    def batch(self, kind: str, rows: int, seconds: float) -> None: ...
    def queue(self, rows: int) -> None: ...


class Lane:
    """`held`: rows and jobs that were accepted and are not settled yet. Its coroutines are called from one event loop.

    `told` hears, in the lane's thread, of each batch, and in the event loop of the queue's length. `encoders` clean and encode, so that neither the event loop nor
    the lane waits for a long text."""

    def __init__(
        self, name: str, predictor: Predictor, settings: ServeSettings, encoders: Executor,
        told: Told,
    ) -> None:  # fmt: skip
        self.name, self.predictor, self.settings = name, predictor, settings
        self.held = self.streams = 0
        self.rate = 0.0
        """Rows a second while it computes, lately; 0 before the first batch."""
        self._encoders, self._told, self._queue = encoders, told, _Queue()
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------- from the event loop

    async def ask(self, kind: Kind, inputs: Sequence[Any]) -> list[Any]:
        """A prediction (`answer`) or a vector `(W,)` (`vector`) for each input, in order.

        Raises Busy, TooLate, and NotAnswerable for the first input that cannot be answered."""
        if not inputs:
            return []
        until = time.monotonic() + self.settings.timeout
        async with self._place(len(inputs), until):
            loop = asyncio.get_running_loop()
            items = await loop.run_in_executor(self._encoders, self._encoded, kind, inputs)
            asking = _Asking(loop.create_future(), until, [None] * len(items), len(items))
            now = time.monotonic()
            rows = [_Row(asking, place, item, now) for place, item in enumerate(items)]
            keys = [(kind, padded(_length(item))) for item in items]
            self._put(rows, keys)
            try:
                found = await asking.future
            except asyncio.CancelledError:
                self._withdraw(rows, keys)
                raise
        for place, one in enumerate(found):
            if isinstance(one, Failure):
                raise _translated(one.error, place)
        return found

    async def run(self, work: Callable[[Predictor], T]) -> T:
        """What `work` makes of the model, in the lane's thread. Raises Busy, TooLate and what `work` raises."""
        until = time.monotonic() + self.settings.timeout
        async with self._place(1, until):
            return await self._job(work, until)

    async def stream(self, produce: Callable[[Predictor], Iterator[T]]) -> AsyncIterator[T]:
        """What `produce` yields, piece by piece; others are served in between. Raises Busy, TooLate and what `produce` raises."""
        if self.streams >= self.settings.streams:
            why = in_language("as many texts as may be are being written", "正在书写的文本已达上限")
            raise Busy(why=why, seconds=self.patience())
        until = time.monotonic() + 10 * self.settings.timeout
        writing = _Writing(produce)
        self.streams += 1
        try:
            async with self._place(1, until):
                while not writing.ended:
                    for piece in await self._job(writing.step, until):
                        yield piece
        finally:
            self.streams -= 1
            with self._queue.changed:
                idle: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                self._queue.jobs.append(_Job(writing.close, _Asking(idle, math.inf, [None], 1), time.monotonic()))
                self._queue.changed.notify()

    def patience(self, rows: int = 0) -> int:
        """Whole seconds after which what waits now, and `rows` more, should be answered."""
        expected = (self.held + rows) / self.rate if self.rate else 1.0
        return min(LONGEST_WAIT, max(1, math.ceil(expected)))

    def close(self) -> None:
        """End the thread once everything that was accepted is settled."""
        with self._queue.changed:
            self._queue.closing = True
            self._queue.changed.notify()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    @contextlib.asynccontextmanager
    async def _place(self, rows: int, until: float) -> AsyncIterator[None]:
        """Room for so many rows, until they are answered or `until`."""
        limit, timeout = self.settings.queue_rows, self.settings.timeout
        if self.held and (self.held + rows > limit or (self.rate and (self.held + rows) / self.rate > timeout)):
            why = in_language(f"{self.held} rows wait for {self.name}", f"已有 {self.held} 行在等待 {self.name}")
            raise Busy(why=why, seconds=self.patience())
        self._hold(rows)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                yield
        except TimeoutError:
            raise TooLate(limit=f"{timeout:g}", seconds=self.patience()) from None
        finally:
            self._hold(-rows)

    def _hold(self, rows: int) -> None:
        self.held += rows
        self._told.queue(self.held)

    async def _job(self, work: Callable[[Predictor], T], until: float) -> T:
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        with self._queue.changed:
            self._queue.jobs.append(_Job(work, _Asking(future, until, [None], 1), time.monotonic()))
            self._queue.changed.notify()
        (found,) = await future
        if isinstance(found, Failure):
            raise found.error
        return found

    def _put(self, rows: Sequence[_Row], keys: Sequence[tuple[Kind, int]]) -> None:
        with self._queue.changed:
            for row, key in zip(rows, keys, strict=True):
                self._queue.rows.setdefault(key, OrderedDict())[row] = None
            self._queue.changed.notify()

    def _withdraw(self, rows: Sequence[_Row], keys: Sequence[tuple[Kind, int]]) -> None:
        with self._queue.changed:
            for row, key in zip(rows, keys, strict=True):
                waiting = self._queue.rows.get(key, {})
                waiting.pop(row, None)
                if not waiting:
                    self._queue.rows.pop(key, None)

    def _encoded(self, kind: Kind, inputs: Sequence[Any]) -> list[Any]:
        """In a thread of `encoders`. Raises NotAnswerable for the first input that cannot be read."""
        encode = self._encode_answer if kind == "answer" else self._encode_vector
        try:
            return encode(inputs)
        except Exception as error:
            if len(inputs) == 1:
                raise _translated(error, 0) from error
        found: list[Any] = []
        for place, raw in enumerate(inputs):
            try:
                found += encode([raw])
            except Exception as error:
                raise _translated(error, place) from error
        return found

    def _encode_answer(self, inputs: Sequence[Any]) -> list[Any]:
        return self.predictor.ready(inputs)

    def _encode_vector(self, inputs: Sequence[Any]) -> list[Any]:
        return pooled.encoded(self.predictor, inputs)

    # --------------------------------------------------------------------------------------- in the lane's thread

    def _work(self) -> None:
        threads.use(self.settings.threads)
        while (taken := self._take()) is not None:
            if isinstance(taken, _Job):
                done = self._done([(taken.asking, 0)], [self._worked(taken.work)])
            else:
                kind, rows = taken
                begun = time.monotonic()
                found = self._computed(kind, rows)
                seconds = time.monotonic() - begun
                self._measure(len(rows), seconds)
                self._told.batch(kind, len(rows), seconds)
                done = self._done([(row.asking, row.place) for row in rows], found)
            if done:
                with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                    done[0].future.get_loop().call_soon_threadsafe(_settle, done)

    def _take(self) -> _Job | tuple[Kind, list[_Row]] | None:
        """What has waited longest, with its like; waits for it. None: there will be nothing more."""
        queue = self._queue
        with queue.changed:
            while True:
                keys = [(next(iter(rows)).born, key) for key, rows in queue.rows.items()]
                if queue.jobs and (not keys or queue.jobs[0].born <= min(keys)[0]):
                    return queue.jobs.popleft()
                if keys:
                    (kind, length) = min(keys)[1]
                    if rows := self._cut(kind, length):
                        return kind, rows
                elif queue.closing:
                    return None
                else:
                    queue.changed.wait()

    def _cut(self, kind: Kind, length: int) -> list[_Row]:
        """The oldest rows of one padded length: a full batch, else a power of two, as `predictor.cut` cuts."""
        waiting, now = self._queue.rows[kind, length], time.monotonic()
        full = max(1, self.settings.batch_units // length)
        size = full if len(waiting) >= full else 1 << (len(waiting).bit_length() - 1)
        rows = [waiting.popitem(last=False)[0] for _ in range(size)]
        if not waiting:
            del self._queue.rows[kind, length]
        return [row for row in rows if row.asking.until > now]

    def _computed(self, kind: Kind, rows: Sequence[_Row]) -> list[Any]:
        """What was found for each row. A batch that fails is halved until the row that fails is alone."""
        try:
            items = [row.item for row in rows]
            if kind == "answer":
                return self.predictor.answers(items, self.settings.batch_units)
            return list(pooled.embed_rows(self.predictor.model, items, self.settings.batch_units))
        except Exception as error:  # noqa: BLE001 - told to the client whose row it is
            if len(rows) == 1:
                return [Failure(error)]
        middle = len(rows) // 2
        return self._computed(kind, rows[:middle]) + self._computed(kind, rows[middle:])

    def _worked(self, work: Callable[[Predictor], Any]) -> Any:
        try:
            return work(self.predictor)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            return Failure(error)

    def _done(self, places: Sequence[tuple[_Asking, int]], found: Sequence[Any]) -> list[_Asking]:
        done: list[_Asking] = []
        for (asking, place), one in zip(places, found, strict=True):
            asking.results[place] = one
            asking.left -= 1
            if not asking.left:
                done.append(asking)
        return done

    def _measure(self, rows: int, seconds: float) -> None:
        now = rows / max(seconds, 1e-6)
        self.rate = now if not self.rate else 0.8 * self.rate + 0.2 * now


class _Writing:
    """A generator that is asked for its pieces in the lane's thread only."""

    def __init__(self, produce: Callable[[Predictor], Iterator[Any]]) -> None:
        self._produce, self._pieces, self.ended = produce, None, False

    def step(self, predictor: Predictor) -> list[Any]:
        if self._pieces is None:
            self._pieces = iter(self._produce(predictor))
        begun, found = time.monotonic(), list[Any]()
        for piece in self._pieces:
            found.append(piece)
            if time.monotonic() - begun > SLICE:
                return found
        self.ended = True
        return found

    def close(self, predictor: Predictor) -> None:
        """A generator lets go of its memory when it is closed."""
        self.ended, self._pieces = True, None


def _settle(done: Sequence[_Asking]) -> None:
    for asking in done:
        if not asking.future.done():
            asking.future.set_result(asking.results)


def _length(item: Any) -> int:
    return (item if isinstance(item, pooled.Encoded) else item.encoded).length


def _translated(error: Exception, place: int) -> Exception:
    """What a client is told of an input. What a library says may hold a piece of the input, or of our insides: only its kind is told."""
    if isinstance(error, MemoryError):
        return Busy(why=in_language("its memory is full", "内存已满"), seconds=LONGEST_WAIT)
    why = error.message() if isinstance(error, ZhujiError) else type(error).__name__
    return NotAnswerable(why=why.rstrip(".。"), param=f"inputs[{place}]")
