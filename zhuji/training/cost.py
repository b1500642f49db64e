"""What training costs: floating-point operations counted, the machine's ceiling measured, time of processors, energy.

Model FLOPs utilisation (MFU; Chowdhery et al. 2022, appendix B): the operations that the model's own matrix products need, over those that
the device could do in the same time. What is computed twice to save memory counts once.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from zhuji.core.units import Batch
from zhuji.model.assembly import Model
from zhuji.nn.contrastive import rows_of
from zhuji.training.players import moves
from zhuji.training.precision import Precision
from zhuji.training.state import untouched

_SIDE = {"cpu": 2048, "cuda": 8192}
_TRIES = 5
WATTS_PER_CORE = 10.0
"""What one busy core is taken to draw where no counter can be read: about a server's thermal design power over its cores, with its share
of memory and fans."""
_RAPL = Path("/sys/class/powercap")


class Operations:
    """Floating-point operations of a forward and backward pass of `model` over batches of any number of rows, by their grid.

    Of each grid one batch is counted, whole and by its first half: what encodes rows grows with their number, what compares rows with
    each other with its square, and the two counts tell both apart. So a batch of many short rows, which are compared more for each of
    their units, is not taken for one of few long ones.
    """

    def __init__(self, model: Model, device: torch.device) -> None:
        self._model, self._device = model, device
        self._known: dict[tuple[int, ...], tuple[float, float]] = {}

    def __call__(self, batch: Batch) -> float:
        """Operations of this batch, padding included: the network computes it too. The first batch of a grid takes about one step's
        time and memory more."""
        rows = len(batch)
        grid = (*batch.units.grid, *(batch.other.grid if batch.other is not None else ()))
        if grid not in self._known:
            batch = batch.to(self._device)
            whole = flops(self._model, batch)
            if rows < 2:
                return whole  # one row tells nothing about many
            half = rows // 2
            part = flops(self._model, _first(batch, half))
            square = (whole / rows - part / half) / (rows - half)
            self._known[grid] = whole / rows - square * rows, square
        each, square = self._known[grid]
        return each * rows + square * rows**2


def flops(model: Model, batch: Batch) -> float:
    """Operations of one forward and backward pass over this batch, of every player's where there are several; leaves no gradient and no trace
    in torch's random state. Attention is counted in its plain form: fused kernels are opaque to the counter. What is done again to save
    memory is not counted again."""
    with torch.random.fork_rng(devices=[]), untouched(model), sdpa_kernel(SDPBackend.MATH), _Counter() as counter:
        for _, loss in moves(model):
            torch.manual_seed(0)
            counter.backwards = False
            total = loss(batch).total
            counter.backwards = True
            torch.autograd.grad(total, [p for p in model.parameters() if p.requires_grad], allow_unused=True)
    return counter.total


class _Counter(TorchDispatchMode):
    """Adds up the operations of matrix products, by torch's own formulas."""

    total = 0.0
    backwards = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        out = func(*args, **kwargs)
        # A pass backwards computes no gradient of its own: where one could be had, a piece is done again.
        if packet in flop_registry and not (self.backwards and torch.is_grad_enabled()):
            self.total += flop_registry[packet](*args, **kwargs, out_val=out)
        return out


def _first(batch: Batch, rows: int) -> Batch:
    cut = slice(0, rows)
    other = None if batch.other is None else rows_of(batch.other, cut)
    return Batch(rows_of(batch.units, cut), {name: target[cut] for name, target in batch.targets.items()}, other)


def ceiling(precision: Precision, device: torch.device) -> float:
    """Operations a second of a large square matrix product in this precision on this device, best of a few: what nothing exceeds."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision.name, torch.float32)
    side = _SIDE.get(device.type, 2048)
    first, second = (torch.ones(side, side, dtype=kind, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(_TRIES):
        begun = time.perf_counter()
        product = first @ second
        float(product[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - begun)
    return 2 * side**3 / best


@dataclass(frozen=True)
class Meter:
    """Time and energy since `start`."""

    processor: float
    wall: float
    joules: float | None
    """Reading of the processor's own counter; None where it cannot be read."""

    @classmethod
    def start(cls) -> Meter:
        return cls(time.process_time(), time.perf_counter(), _counter())

    def read(self) -> dict[str, Any]:
        """`cpu_hours`, `seconds`, `joules` and where they come from. The counter is of the whole processor, so a neighbour's work is in it;
        the estimate is of this process alone."""
        busy = time.process_time() - self.processor
        now = _counter()
        measured = self.joules is not None and now is not None and now >= self.joules
        joules = now - self.joules if measured and now is not None and self.joules is not None else busy * WATTS_PER_CORE
        source = "RAPL, whole processor" if measured else f"estimate: {WATTS_PER_CORE:.0f} W for each busy core"
        return {
            "cpu_hours": round(busy / 3600, 4), "seconds": round(time.perf_counter() - self.wall, 1),
            "joules": round(joules, 1), "joules_from": source,
        }  # fmt: skip


def _counter() -> float | None:
    """Joules of all packages since the machine started, from the powercap tree of Linux."""
    try:
        zones = [path for path in _RAPL.glob("intel-rapl:*") if path.name.count(":") == 1]
        return sum(int((zone / "energy_uj").read_text()) for zone in zones) / 1e6 if zones else None
    except (OSError, ValueError):
        return None
