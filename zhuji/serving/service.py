"""What routes may ask for. A route translates a protocol and knows neither queues nor threads; whatever it asks, every client gets the
numbers that Python gets."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from zhuji.core.contracts import Prediction, Reads
from zhuji.core.errors import NoWeights
from zhuji.core.log import in_language
from zhuji.core.records import Picture, Sound
from zhuji.core.refusals import NotAnswerable, TooLarge
from zhuji.model.golden import from_json
from zhuji.model.pooled import Vectors
from zhuji.model.predictor import Predictor
from zhuji.serving import journal
from zhuji.serving.lane import Lane
from zhuji.serving.metrics import Metrics
from zhuji.serving.queue import Kind
from zhuji.serving.settings import ServeSettings
from zhuji.serving.shelf import Served, Shelf
from zhuji.tools.nearest import Hit, Index, open_index

T = TypeVar("T")


@dataclass(frozen=True)
class Answers:
    """Predictions in the order of the inputs, by one version of a model."""

    served: Served
    predictions: list[Prediction]
    seconds: float


class Service:
    """The models of one process and their lanes. Making it opens them all: raises what opening raises."""

    def __init__(self, settings: ServeSettings, metrics: Metrics | None = None) -> None:
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.draining = False
        """It was told to stop: what was accepted is answered, and probes hear that it is not ready."""
        self._encoders = ThreadPoolExecutor(2, thread_name_prefix="encode")
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="open")
        self._index: Index | None = None if settings.index is None else open_index(settings.index)
        self._shelf = Shelf(settings, self._lane, self._workers)
        if self._index is not None:
            self._shelf.index_hash = self._index.model["hash"]
        self._shelf.open_all()
        self._count_versions()

    # ---------------------------------------------------------------------------------------------------- models

    def models(self) -> list[Served]:
        """All models, in the order in which they were given. One that is put away has its facts and no predictor."""
        return self._shelf.all()

    def find(self, name: str | None) -> Served:
        """The model of this name; the first one for None. Raises NoSuchModel."""
        return self._shelf.find(name)

    async def opened(self, name: str | None) -> Served:
        """The model of this name, open: one that was put away is opened again. Raises NoSuchModel, and Busy where that fails."""
        return await self._shelf.opened(name)

    # ----------------------------------------------------------------------------------------------------- asking

    def sound(self, name: str | None, inputs: Sequence[Any]) -> list[Any]:
        """Inputs as the model reads them, for what does not go through `answer` or `embed`. Raises NoSuchModel and NotAnswerable."""
        reads = self.find(name).facts.reads
        return [_sound(raw, reads, place) for place, raw in enumerate(inputs)]

    async def answer(self, name: str | None, inputs: Sequence[Any]) -> Answers:
        """What `Predictor.predict` answers. Raises NoSuchModel, NotAnswerable, TooLarge, Busy and TooLate."""
        served, found, seconds = await self._ask("answer", name, inputs)
        return Answers(served, found, seconds)

    async def embed(self, name: str | None, inputs: Sequence[Any]) -> Vectors:
        """`(N, W)` float32: what `zhuji.model.pooled.embed` gives. Raises what `answer` raises, and NoWeights of a network in another format."""
        if (await self._shelf.opened(name)).predictor.runner is not None:
            raise NoWeights(what=in_language("a vector", "向量"))
        served, found, _ = await self._ask("vector", name, inputs)
        return np.stack(found) if found else np.empty((0, served.facts.width), np.float32)

    async def run(self, name: str | None, work: Callable[[Predictor], T]) -> T:
        """What `work` makes of the model, in the model's own thread. Raises what `work` raises, NoSuchModel, Busy and TooLate."""
        return await _lane(await self._shelf.opened(name)).run(work)

    async def stream(self, name: str | None, produce: Callable[[Predictor], Iterator[T]]) -> AsyncIterator[T]:
        """What `produce` yields, piece by piece, each made in the model's own thread. Ends when whoever listens leaves."""
        async with contextlib.aclosing(_lane(await self._shelf.opened(name)).stream(produce)) as pieces:
            async for piece in pieces:
                yield piece

    async def nearest(self, name: str | None, raw: str, k: int) -> list[Hit] | None:
        """The k rows of the index that are nearest; None where there is no index of this model."""
        if self._index is None or not self.find(name).facts.nearest:
            return None
        index, vectors = self._index, await self.embed(name, [raw])
        (hits,) = await asyncio.get_running_loop().run_in_executor(self._encoders, lambda: index.hits(vectors, k))
        return hits

    async def encode(self, work: Callable[[], T]) -> T:
        """What `work` makes, outside the event loop: reading an upload, say. What it says is in the client's language."""
        return await asyncio.get_running_loop().run_in_executor(self._encoders, copy_context().run, work)

    # --------------------------------------------------------------------------------------------------------- life

    async def watch(self) -> None:
        """Look for new versions, until cancelled; at once on SIGHUP."""
        told = asyncio.Event()
        with contextlib.suppress(RuntimeError, ValueError):  # not in a main thread, or no such signal
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told.set)
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), self.settings.poll)
            forced = told.is_set()
            told.clear()
            try:
                await self._shelf.look(forced)
                self._count_versions()
            except Exception as error:  # noqa: BLE001 - looking must go on, whatever a folder does to it
                journal.say("look_failed", level="error", reason=type(error).__name__)

    async def reload(self) -> None:
        """Look for new versions now."""
        await self._shelf.look(force=True)

    async def close(self) -> None:
        """Settle what was accepted and end all threads."""
        await self._shelf.close()
        self._encoders.shutdown(wait=False, cancel_futures=True)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _count_versions(self) -> None:
        self.metrics.versions({served.name: served.version for served in self.models()})

    def _lane(self, name: str, predictor: Predictor) -> Lane:
        return Lane(name, predictor, self.settings, self._encoders, self.metrics.of(name))

    async def _ask(self, kind: Kind, name: str | None, inputs: Sequence[Any]) -> tuple[Served, list[Any], float]:
        begun = time.perf_counter()
        if len(inputs) > self.settings.request_rows:
            what = in_language("the rows of a request", "单次请求的行数")
            raise TooLarge(what=what, limit=self.settings.request_rows, setting="request_rows", param="inputs")
        sound = self.sound(name, inputs)
        served = await self._shelf.opened(name)
        found = await _lane(served).ask(kind, sound)
        return served, found, time.perf_counter() - begun


def _lane(served: Served) -> Lane:
    assert served.lane is not None
    return served.lane


def _sound(raw: Any, reads: Reads, place: int) -> Any:
    """An input as a model reads it. Where pictures or sounds are read, a text from a client never becomes the path of one. Raises
    NotAnswerable."""
    if reads != "texts":
        wanted, name = (Picture, "picture") if reads == "pictures" else (Sound, "sound")
        with contextlib.suppress(ValueError):
            found = from_json(raw) if isinstance(raw, dict) else raw
            if isinstance(found, wanted):
                return found
        kind = in_language(name, {"picture": "图片", "sound": "声音"}[name])
        why = in_language(
            f'it must be a {kind}: {{"{name}": "its bytes in base64"}}', f'须为{kind}：{{"{name}": "其字节的 base64"}}'
        )
    elif isinstance(raw, str) or (isinstance(raw, list | tuple) and raw and all(isinstance(word, str) for word in raw)):
        return raw
    else:
        why = in_language("it must be a text, or a list of words", "须为文本或词的列表")
    raise NotAnswerable(why=why, param=f"inputs[{place}]")
