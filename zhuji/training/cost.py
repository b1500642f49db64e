"""What training costs: floating-point operations counted, the machine's ceiling measured, time of processors, energy.

Model FLOPs utilisation (MFU; Chowdhery et al. 2022, appendix B): the operations that the model's own matrix products need, over those that
the device could do in the same time. What is computed twice to save memory counts once.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from zhuji.core.units import Batch
from zhuji.model.assembly import Model
from zhuji.training.precision import Precision

_SIDE = {"cpu": 2048, "cuda": 8192}
_TRIES = 5
WATTS_PER_CORE = 10.0
"""What one busy core is taken to draw where no counter can be read: about a server's thermal design power over its cores, with its share
of memory and fans."""
_RAPL = Path("/sys/class/powercap")


def flops_per_unit(model: Model, batch: Batch) -> float:
    """Operations of one forward and backward pass over this batch, by real unit; counted on a copy. Attention is counted in its plain
    form: fused kernels are opaque to the counter."""
    twin = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        torch.manual_seed(0)
        twin.loss(batch).total.backward()
    return counter.get_total_flops() / max(1, int(batch.units.mask.sum()))


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
