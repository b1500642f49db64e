"""Models by name: opened with proof, put away when memory is short, replaced when a new version lies in their folder.

Opening checks every hash and answers the golden rows again. Where the folder's `hashes.json` changes, the new version is opened and proven
beside the old one and then takes its place; one that fails is refused with its reason in the log, and the old one goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from zhuji import formats
from zhuji.core.errors import BadSetting, BundleError, DamagedBundle, ZhujiError
from zhuji.core.log import in_language
from zhuji.core.quantity import bytes_text
from zhuji.core.refusals import Busy, NoSuchModel
from zhuji.model import parity
from zhuji.model.bundle import HASHES, LIMITS
from zhuji.model.golden import as_json
from zhuji.model.predictor import Precision, Predictor
from zhuji.model.safety import MAX_FILES, read_bytes
from zhuji.nn.layers import laid_by_columns
from zhuji.serving import journal
from zhuji.serving.facts import Facts, facts_of
from zhuji.serving.lane import Lane
from zhuji.serving.settings import ServeSettings


@dataclass(frozen=True)
class Served:
    """One version of a model. `version`: the first 12 digits of its hashes' SHA-256; `opened`: Unix seconds; `examples`: inputs of its
    golden rows; `memory`: bytes of its files. `lane` is None while the model is put away; its `facts` stay."""

    name: str
    version: str
    facts: Facts
    examples: tuple[Any, ...]
    opened: float
    memory: int
    lane: Lane | None = None

    @property
    def predictor(self) -> Predictor:
        """Only of an open model, as `Service.answer`, `run` and their like see it; whoever lists models reads `facts`."""
        assert self.lane is not None, "a model that was put away has no predictor"
        return self.lane.predictor


@dataclass
class _Slot:
    name: str
    folder: Path
    served: Served
    used: float = 0.0
    seen: str = ""
    """What the folder looked like when it was looked at last."""
    refused: str = ""
    """What it looked like when a new version was refused."""
    opening: asyncio.Task[Served] | None = None


@dataclass(frozen=True)
class _Loaded:
    predictor: Predictor
    facts: Facts
    version: str
    memory: int


class Shelf:
    """The models of one process. `lane_of` makes a lane; opening happens in `workers`, never in the event loop."""

    def __init__(self, settings: ServeSettings, lane_of: Callable[[str, Predictor], Lane], workers: Executor) -> None:
        self.settings, self._lane_of, self._workers = settings, lane_of, workers
        self._slots: dict[str, _Slot] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.index_hash: str | None = None

    def open_all(self) -> None:
        """Open every model once, in order. Raises what opening raises; BadSetting for one that is larger than the budget."""
        for place in self.settings.models:
            folder = Path(place.path)
            self._refuse_large(place.name, memory_of(folder))
            loaded = load(folder, self.index_hash, self.settings.precision)
            self._slots[place.name] = slot = _Slot(place.name, folder, self._served(place.name, loaded), time.monotonic())
            slot.seen = looks(folder)
            for other in self._to_put_away(0, slot):
                assert other.served.lane is not None
                other.served.lane.close()
                other.served = replace(other.served, lane=None)

    def all(self) -> list[Served]:
        return [slot.served for slot in self._slots.values()]

    def find(self, name: str | None) -> Served:
        """The model of this name, the first one for None; it may be put away. Raises NoSuchModel."""
        return self._slot(name).served

    async def opened(self, name: str | None) -> Served:
        """The model, open. Raises NoSuchModel, and Busy where it cannot be opened now."""
        slot = self._slot(name)
        slot.used = time.monotonic()
        if slot.served.lane is None:
            if slot.opening is None:
                slot.opening = asyncio.create_task(self._reopen(slot))
            return await asyncio.shield(slot.opening)
        return slot.served

    async def look(self, force: bool = False) -> None:
        """Replace what has a new version. A folder that is still being written is left for the next look, unless `force`."""
        for slot in self._slots.values():
            looked = await self._off(lambda slot=slot: looks(slot.folder))
            settled, slot.seen = looked == slot.seen, looked
            if slot.served.lane is None or not looked or (not force and (not settled or looked == slot.refused)):
                continue
            if await self._off(lambda slot=slot: version_of(slot.folder)) != slot.served.version:
                await self._replace(slot, looked)

    async def close(self) -> None:
        """End all lanes; what they accepted is settled first."""
        lanes = [slot.served.lane for slot in self._slots.values() if slot.served.lane is not None]
        for lane in lanes:
            lane.close()
        await asyncio.gather(*self._retiring, *(self._off(lambda lane=lane: lane.join(self.settings.drain)) for lane in lanes))

    # ------------------------------------------------------------------------------------------------------------

    def _slot(self, name: str | None) -> _Slot:
        if name is None:
            return next(iter(self._slots.values()))
        if name not in self._slots:
            raise NoSuchModel(name=name[:128], choices=", ".join(self._slots), param="model")
        return self._slots[name]

    def _served(self, name: str, loaded: _Loaded) -> Served:
        examples = tuple(as_json(row["input"]) for row in loaded.predictor.golden)
        lane = self._lane_of(name, loaded.predictor)
        return Served(name, loaded.version, loaded.facts, examples, time.time(), loaded.memory, lane)

    async def _reopen(self, slot: _Slot) -> Served:
        try:
            for other in self._to_put_away(memory_of(slot.folder), slot):
                self._put_away(other)
            loaded = await self._off(lambda: load(slot.folder, self.index_hash, self.settings.precision))
            slot.served = self._served(slot.name, loaded)
            journal.say("model_opened", model=slot.name, version=loaded.version)
            return slot.served
        except ZhujiError as error:
            journal.say("model_not_opened", level="error", model=slot.name, reason=error.message())
            why = in_language(f"{slot.name} cannot be opened now", f"{slot.name} 目前无法打开")
            raise Busy(why=why, seconds=30) from None
        finally:
            slot.opening = None

    async def _replace(self, slot: _Slot, looked: str) -> None:
        try:
            self._refuse_large(slot.name, memory_of(slot.folder))
            loaded = await self._off(lambda: load(slot.folder, self.index_hash, self.settings.precision))
        except ZhujiError as error:
            slot.refused = looked
            journal.say("version_refused", level="error", model=slot.name, kept=slot.served.version, reason=error.message())
            return
        old, slot.served = slot.served, self._served(slot.name, loaded)
        self._retire(old)
        for other in self._to_put_away(0, slot):
            self._put_away(other)
        journal.say("version_replaced", model=slot.name, old=old.version, version=loaded.version)

    def _refuse_large(self, name: str, memory: int) -> None:
        budget = self.settings.memory
        if budget is not None and memory > budget:
            rule = in_language(f"must hold the largest model: {name} takes {bytes_text(memory)}",
                               f"须容得下最大的模型：{name} 需要 {bytes_text(memory)}")  # fmt: skip
            raise BadSetting(key="serve.memory", rule=rule, value=budget)

    def _to_put_away(self, needed: int, kept: _Slot) -> list[_Slot]:
        """The models that were used longest ago, so many that the others, and `needed` more bytes, fit the budget."""
        if self.settings.memory is None:
            return []
        open_ = sorted((slot for slot in self._slots.values() if slot.served.lane is not None), key=lambda slot: slot.used)
        total, chosen = needed + sum(slot.served.memory for slot in open_), list[_Slot]()
        for slot in open_:
            if total > self.settings.memory and slot is not kept:
                chosen.append(slot)
                total -= slot.served.memory
        return chosen

    def _put_away(self, slot: _Slot) -> None:
        journal.say("model_put_away", model=slot.name)
        self._retire(slot.served)
        slot.served = replace(slot.served, lane=None)

    def _retire(self, served: Served) -> None:
        """Let what the lane accepted be answered, then end it."""

        async def ended(lane: Lane) -> None:
            while lane.held:
                await asyncio.sleep(0.02)
            lane.close()

        assert served.lane is not None
        task = asyncio.create_task(ended(served.lane))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _off(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


def files_of(path: Path) -> Path:
    """Where the files of a run or a bundle lie; a link inside is not followed."""
    inside = path / "bundle"
    own = os.path.lexists(path / HASHES)
    return inside if not own and inside.is_dir() and not inside.is_symlink() else path


def version_of(path: Path) -> str:
    """The first 12 digits of the SHA-256 of the bundle's hashes; empty where there are none."""
    try:
        return hashlib.sha256(read_bytes(files_of(path) / HASHES, LIMITS[HASHES])).hexdigest()[:12]
    except BundleError:
        return ""


def memory_of(path: Path) -> int:
    """Bytes of the bundle's files, nearly all of which are weights."""
    try:
        return sum(file.lstat().st_size for file in _some(path))
    except OSError:
        return 0


def looks(path: Path) -> str:
    """Names, sizes and times of the bundle's files: the same while nobody touches them; empty where there is no folder."""
    try:
        stats = sorted((file.name, file.lstat()) for file in _some(path))
    except OSError:
        return ""
    return ";".join(f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}" for name, stat in stats)


def _some(path: Path) -> Iterator[Path]:
    """The bundle's files; of a folder that holds more than a bundle may, not all."""
    return islice(files_of(path).iterdir(), MAX_FILES + 1)


def load(path: Path, index_hash: str | None = None, precision: Precision = "fp32") -> _Loaded:
    """A bundle or an exported folder that was proven. Raises what `formats.open_model` raises; DamagedBundle where the folder changes
    meanwhile; AnswersDiffer where coarser numbers change golden answers."""
    version, memory = version_of(path), memory_of(path)
    predictor = formats.open_model(path)
    if version_of(path) != version:
        raise DamagedBundle(file=path, why=in_language("it was changed while it was read", "读取时被更改"))
    if predictor.runner is None:
        _prepare(predictor, precision, path)
    return _Loaded(predictor, facts_of(predictor, index_hash), version, memory)


def _prepare(predictor: Predictor, precision: Precision, path: Path) -> None:
    if predictor.device.type == "cpu":
        laid_by_columns(predictor.model)
    if precision != "fp32":
        predictor.precision = precision
        advice = in_language("serve it with --set serve.precision=fp32", "请以 --set serve.precision=fp32 提供服务")
        parity.hop(precision, predictor.golden, predictor.predict, parity.QUANTISED).require(path, advice)
