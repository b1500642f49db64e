"""Before the first step: the longest batches are tried, and every late stage is run once, so that nothing fails at hour ten.

All of it happens on a copy of the model: a run is the same with and without its rehearsal.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from zhuji.core.errors import WontFit
from zhuji.core.files import PARTIAL
from zhuji.core.log import in_language, say
from zhuji.core.quantity import bytes_text, seconds_text
from zhuji.core.units import Batch
from zhuji.data.loader import BatchPlan
from zhuji.model.assembly import Model
from zhuji.training.optim import Optimiser, optimiser
from zhuji.training.players import moves
from zhuji.training.precision import Precision
from zhuji.training.run import TrainSettings

_SHARE, _LEAST, _MOST = 0.02, 0.3, 3.0
"""Of the forecast time, and in seconds: how long the rehearsal of steps may take."""


@dataclass(frozen=True)
class Forecast:
    """What a whole run will take: `seconds` of training steps, `memory` and `disk` in bytes."""

    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class Rehearsal:
    """What is rehearsed: `plans` are the batches of an epoch, `batches` the number of batches of the whole run."""

    settings: TrainSettings
    plans: Sequence[BatchPlan]
    batch: Callable[[BatchPlan], Batch]
    batches: int
    precision: Precision
    device: torch.device
    folder: Path

    def __call__(self, model: Model, late: Callable[[Model, Path], object]) -> Forecast:
        """Rehearse, say what the run will take, and run `late(model, folder)` in a folder that is then thrown away.

        Raises WontFit if memory or disk will not do.
        """
        started = time.perf_counter()
        self._refuse_weights(model)
        disk = self._disk(model)
        try:
            seconds = self._seconds(copy.deepcopy(model))
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            raise _wont_fit("memory", "内存", in_language("more", "更多"), _free_memory(self.device)) from error
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self.folder) as scratch:
            late(model, Path(scratch))
        forecast = Forecast(seconds, peak_memory(self.device), disk)
        took = seconds_text(time.perf_counter() - started)
        say(in_language(
            f"Rehearsal ({took}): the longest batches fit; training will take about {seconds_text(seconds)}, "
            f"{bytes_text(forecast.memory)} of memory and {bytes_text(disk)} of disk.",
            f"预演（{took}）：最长的批次可以容纳；训练约需 {seconds_text(seconds)}，"
            f"内存 {bytes_text(forecast.memory)}，磁盘 {bytes_text(disk)}。",
        ))  # fmt: skip
        return forecast

    def _refuse_weights(self, model: Model) -> None:
        """Before the first try: a copy of the weights, gradients and two moments must fit."""
        needed = 4 * sum(p.numel() * p.element_size() for p in model.parameters())
        free = _free_memory(self.device)
        if needed > free:
            raise _wont_fit("memory", "内存", bytes_text(needed), free)

    def _disk(self, model: Model) -> int:
        """Bytes of all checkpoints that are kept, of one being written, and of the bundle."""
        weights = sum(t.numel() * t.element_size() for t in model.state_dict().values())
        slots = {"sgd": 0, "momentum": 1, "adagrad": 1, "muon": 2}.get(self.settings.optim.name, 2)
        checkpoint = weights * (1 + slots + (self.settings.average > 0))
        needed = checkpoint * (self.settings.keep + 2) + 2 * weights
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise _wont_fit("disk space", "磁盘空间", bytes_text(needed), free)
        return needed

    def _seconds(self, twin: Model) -> float:
        """Time of all steps, from the largest batch of each length, longest first; lengths for which no time is left count like the
        shortest one tried, unit for unit."""
        largest: dict[int, BatchPlan] = {}
        for plan in self.plans:
            if plan.length not in largest or len(plan.rows) > len(largest[plan.length].rows):
                largest[plan.length] = plan
        mover = optimiser(self.settings.optim, twin, owner=twin.task.owner)
        per_unit: dict[int, float] = {}
        started, forecast = time.perf_counter(), 0.0
        for length in sorted(largest, reverse=True):
            if per_unit and time.perf_counter() - started > min(max(_SHARE * forecast, _LEAST), _MOST):
                break
            plan = largest[length]
            seconds = min(self._step_seconds(twin, mover, plan) for _ in range(1 if per_unit else 2))
            per_unit[length] = seconds / (len(plan.rows) * length)
            forecast = self._forecast(per_unit)
        return forecast

    def _forecast(self, per_unit: dict[int, float]) -> float:
        shortest = per_unit[min(per_unit)]
        epoch = sum(per_unit.get(plan.length, shortest) * len(plan.rows) * plan.length for plan in self.plans)
        return epoch * self.batches / max(1, len(self.plans))

    def _step_seconds(self, twin: Model, mover: Optimiser, plan: BatchPlan) -> float:
        started = time.perf_counter()
        batch = self.batch(plan).to(self.device)
        for player, loss in moves(twin):
            with self.precision.context(self.device):
                total = loss(batch).total
            total.backward()
            mover.step(self.settings.optim.lr, player)
            twin.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - started


def peak_memory(device: torch.device) -> int:
    """Most memory that this process has held so far, in bytes: on the GPU if it computes there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _wont_fit(what: str, what_zh: str, needed: str, free: int) -> WontFit:
    advice = in_language(
        "lower train.batch_units or the size of the backbone, or free some",
        "请降低 train.batch_units 或骨干网络的大小，或释放资源",
    )
    return WontFit(needed=needed, what=in_language(what, what_zh), free=bytes_text(free), advice=advice)
