"""A lane: one model, its bounded queue and the one thread in which it is asked.

Rows of all clients that wait for the same thing and have one padded length are computed together, beginning with whoever waits longest. While
one batch is computed the next one gathers; an idle lane begins at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch

from zhuji.core.errors import ZhujiError
from zhuji.core.log import in_language
from zhuji.core.records import Medium
from zhuji.core.refusals import Busy, NotAnswerable, ServingError, TooLate
from zhuji.model import pooled
from zhuji.model.predictor import Predictor
from zhuji.serving.queue import Asking, Job, Kind, Queue, Raw, Row
from zhuji.serving.settings import ServeSettings
from zhuji.training import threads

T = TypeVar("T")

SLICE = 0.01
"""Seconds that a text may be written before others have their turn."""
SHORT = 4096
"""Characters up to which a request's inputs are read in the lane's thread, which saves two changes of threads; longer ones are read
beside it, so that nobody waits for the cleaning of a long text."""
LONGEST_WAIT = 60
"""Seconds that a client is asked to wait at most."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row or a job has no answer."""

    error: Exception


class Told(Protocol):
    """Who hears what a lane does."""

    def batch(self, kind: str, rows: int, seconds: float) -> None: ...
    def queue(self, rows: int) -> None: ...


class Lane:
    """`held`: rows and jobs that were accepted and are not settled yet. Its coroutines are called from one event loop.

    `told` hears, in the lane's thread, of each batch, and in the event loop of the queue's length. `encoders` read long
    inputs."""

    def __init__(
        self, name: str, predictor: Predictor, settings: ServeSettings, encoders: Executor,
        told: Told,
    ) -> None:  # fmt: skip
        self.name, self.predictor, self.settings = name, predictor, settings
        self.held = self.streams = 0
        self.rate = 0.0
        """Rows a second while it computes, lately; 0 before the first batch."""
        self._encoders, self._told, self._queue = encoders, told, Queue(settings.batch_units, predictor.unpads)
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------- from the event loop

    async def ask(self, kind: Kind, inputs: Sequence[Any]) -> list[Any]:
        """A prediction (`answer`) or a vector `(W,)` (`vector`) for each input, in order.

        Raises Busy, TooLate, and NotAnswerable for the first input that cannot be answered."""
        if not inputs:
            return []
        until = time.monotonic() + self.settings.timeout
        with self._room(len(inputs)):
            async with self._in_time(until):
                found = await self._asked(kind, inputs, until)
        for place, one in enumerate(found):
            if isinstance(one, Failure):
                raise _translated(one.error, place)
        return found

    async def _asked(self, kind: Kind, inputs: Sequence[Any], until: float) -> list[Any]:
        loop = asyncio.get_running_loop()
        asking = Asking(loop.create_future(), until, [None] * len(inputs), len(inputs))
        if sum(map(_characters, inputs)) <= SHORT:
            self._queue.post(Raw(kind, inputs, asking))
        else:
            items = await loop.run_in_executor(self._encoders, lambda: asking.context.run(self._encoded, kind, inputs))
            self._queue.put(kind, items, asking)
        return await self._settled(asking)

    async def run(self, work: Callable[[Predictor], T]) -> T:
        """What `work` makes of the model, in the lane's thread. Raises Busy, TooLate and what `work` raises."""
        until = time.monotonic() + self.settings.timeout
        with self._room(1):
            return await self._job(work, until)

    async def stream(self, produce: Callable[[Predictor], Iterator[T]]) -> AsyncGenerator[T, None]:
        """What `produce` yields, piece by piece; others are served in between. Raises Busy, TooLate and what `produce` raises."""
        if self.streams >= self.settings.streams:
            why = in_language("as many texts as may be are being written", "正在书写的文本已达上限")
            raise Busy(why=why, seconds=self.patience())
        until = time.monotonic() + 10 * self.settings.timeout
        writing = _Writing(produce)
        self.streams += 1
        try:
            with self._room(1):
                while not writing.ended:
                    for piece in await self._job(writing.step, until):
                        yield piece
        finally:
            self.streams -= 1
            idle: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._queue.post(Job(writing.close, Asking(idle, math.inf, [None], 1)))

    def patience(self, rows: int = 0) -> int:
        """Whole seconds after which what waits now, and `rows` more, should be answered."""
        expected = (self.held + rows) / self.rate if self.rate else 1.0
        return min(LONGEST_WAIT, max(1, math.ceil(expected)))

    def close(self) -> None:
        """End the thread once everything that was accepted is settled."""
        self._queue.close()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    @contextlib.contextmanager
    def _room(self, rows: int) -> Iterator[None]:
        """Room for so many rows, until they are settled. Raises Busy where there is none, or where they could not be answered in time."""
        limit, timeout = self.settings.queue_rows, self.settings.timeout
        if self.held and (self.held + rows > limit or (self.rate and (self.held + rows) / self.rate > timeout)):
            why = in_language(f"{self.held} rows wait for {self.name}", f"已有 {self.held} 行在等待 {self.name}")
            raise Busy(why=why, seconds=self.patience())
        self._hold(rows)
        try:
            yield
        finally:
            self._hold(-rows)

    @contextlib.asynccontextmanager
    async def _in_time(self, until: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                yield
        except TimeoutError:
            raise TooLate(limit=f"{self.settings.timeout:g}", seconds=self.patience()) from None

    def _hold(self, rows: int) -> None:
        self.held += rows
        self._told.queue(self.held)

    async def _job(self, work: Callable[[Predictor], T], until: float) -> T:
        asking = Asking(asyncio.get_running_loop().create_future(), until, [None], 1)
        self._queue.post(Job(work, asking))
        async with self._in_time(until):
            (found,) = await self._settled(asking)
            if isinstance(found, Failure):
                raise found.error
        return found

    async def _settled(self, asking: Asking) -> list[Any]:
        try:
            return await asking.future
        except asyncio.CancelledError:
            self._queue.withdraw(asking)
            raise

    def _encoded(self, kind: Kind, inputs: Sequence[Any]) -> list[Any]:
        """Raises what is told of the first input that cannot be read."""
        try:
            return self._encode(kind, inputs)
        except Exception as error:
            if len(inputs) == 1:
                raise _translated(error, 0) from error
        found: list[Any] = []
        for place, raw in enumerate(inputs):
            try:
                found += self._encode(kind, [raw])
            except Exception as error:
                raise _translated(error, place) from error
        return found

    def _encode(self, kind: Kind, inputs: Sequence[Any]) -> list[Any]:
        return self.predictor.ready(inputs) if kind == "answer" else pooled.encoded(self.predictor, inputs)

    # --------------------------------------------------------------------------------------- in the lane's thread

    def _work(self) -> None:
        threads.use(self.settings.threads)
        # Inside this context, which changes nothing, torch keeps weights that it made coarser from batch to batch.
        with torch.autocast(self.predictor.device.type, torch.bfloat16, enabled=False):
            self._serve()

    def _serve(self) -> None:
        while (taken := self._queue.take()) is not None:
            if isinstance(taken, Job):
                done = self._done([(taken.asking, 0)], [self._worked(taken)])
            elif isinstance(taken, tuple):
                kind, rows = taken
                begun = time.monotonic()
                found = self._computed(kind, rows)
                seconds = time.monotonic() - begun
                self._measure(len(rows), seconds)
                self._told.batch(kind, len(rows), seconds)
                done = self._done([(row.asking, row.place) for row in rows], found)
            else:
                done = self._read(taken)
            if done:
                with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                    done[0].future.get_loop().call_soon_threadsafe(_settle, done)

    def _read(self, raw: Sequence[Raw]) -> list[Asking]:
        """Clean and encode the inputs of many together, and let them wait; what comes back are requests that cannot be read."""
        failed: list[Asking] = []
        kinds: set[Kind] = {one.kind for one in raw}
        for kind in kinds:
            several = [one for one in raw if one.kind == kind]
            try:
                items = self._encode(kind, [given for one in several for given in one.inputs])
            except Exception:  # noqa: BLE001 - each is read by itself below, and told of its own error
                failed += [one.asking for one in several if not self._read_alone(one)]
                continue
            start = 0
            for one in several:
                self._queue.put(kind, items[start : start + len(one.inputs)], one.asking)
                start += len(one.inputs)
        return failed

    def _read_alone(self, raw: Raw) -> bool:
        try:
            self._queue.put(raw.kind, raw.asking.context.run(self._encoded, raw.kind, raw.inputs), raw.asking)
        except Exception as error:  # noqa: BLE001 - told to the client whose input it is
            raw.asking.results, raw.asking.left = [Failure(error)], 0
            return False
        return True

    def _computed(self, kind: Kind, rows: Sequence[Row]) -> list[Any]:
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

    def _worked(self, job: Job) -> Any:
        if job.asking.until < time.monotonic():
            return Failure(TimeoutError())
        try:
            return job.asking.context.run(job.work, self.predictor)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            return Failure(error)

    def _done(self, places: Sequence[tuple[Asking, int]], found: Sequence[Any]) -> list[Asking]:
        done: list[Asking] = []
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


def _settle(done: Sequence[Asking]) -> None:
    for asking in done:
        if not asking.future.done():
            asking.future.set_result(asking.results)


def _characters(raw: Any) -> int:
    if isinstance(raw, Medium):
        return SHORT + 1  # to be decoded beside the lane, however small
    return len(raw) if isinstance(raw, str) else sum(map(len, raw))


def _translated(error: Exception, place: int) -> Exception:
    """What a client is told of an input. What a library says may hold a piece of the input, or of our insides: only its kind is told."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, MemoryError):
        return Busy(why=in_language("its memory is full", "内存已满"), seconds=LONGEST_WAIT)
    # What is wrong with a picture or a sound is told as it is: the rest would say once more that it cannot be read.
    why = str(error.facts.get("why") or error.message()) if isinstance(error, ZhujiError) else type(error).__name__
    return NotAnswerable(why=why.rstrip(".。"), param=f"inputs[{place}]")
