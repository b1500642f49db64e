"""Which number format the forward and backward pass compute in, and whether it pays on this machine.

Weights, gradients, optimiser state, loss and metrics stay in fp32; only matrix products and the like run in bf16 or fp16, under
`torch.autocast` (Micikevicius et al. 2018).
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.units import Batch
from zhuji.model.assembly import Model
from zhuji.training.players import moves
from zhuji.training.state import Progress, untouched

PAYS = 1.5
"""bf16 must be so many times faster before `auto` gives up precision for it. On a shared machine a probe was seen to swing between 0.6
and 1.4 for a model that gains nothing; where bf16 pays (AMX, tensor cores, wide layers) it gains a factor of two and more."""
_SECONDS = 1.0
_TINY = 0.02
"""Seconds: a shorter pass is ruled by overhead that no format changes, and by chance: the choice must not differ from run to run."""

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """`name`: fp32, bf16 or fp16; `ratio`: how many times faster bf16 was than fp32, where that was measured."""

    name: str
    ratio: float | None = None

    def context(self, device: torch.device) -> AbstractContextManager[Any]:
        """What the forward pass runs in."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(device.type, _TYPES[self.name])

    @property
    def scaled(self) -> bool:
        """fp16 has too few exponents for small gradients: the loss is scaled up."""
        return self.name == "fp16"


def choose(asked: str, model: Model, batches: Sequence[Batch], device: torch.device) -> Precision:
    """What `auto` comes to for this model on this machine, from forward and backward passes over real batches, fp32 and bf16
    in turn; the model's weights are not touched and its gradients are cleared.

    Raises BadSetting for fp16 on a processor without it.
    """
    if asked == "fp16" and device.type == "cpu":
        rule = in_language(
            "fp16 needs a GPU; use auto, bf16 or fp32 on a CPU", "fp16 需要 GPU；在 CPU 上请用 auto、bf16 或 fp32"
        )
        raise BadSetting(key="train.precision", rule=rule, value=asked)
    if asked != "auto" or not batches:
        return Precision("fp32" if asked == "auto" else asked)
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    start = time.perf_counter()
    with untouched(model):
        for turn in range(8):
            for name, times in seconds.items():
                times.append(_pass_seconds(Precision(name), model, batches[turn % len(batches)], device))
            if (turn and min(seconds["fp32"]) < _TINY) or time.perf_counter() - start > _SECONDS:
                break
    model.zero_grad(set_to_none=True)
    # The quickest pass of each: what a busy neighbour or the first call adds says nothing about the format.
    fp32, bf16 = (min(times) for times in seconds.values())
    ratio = round(fp32 / bf16, 2)  # as it is told
    pays = ratio >= PAYS and fp32 >= _TINY
    return Precision("bf16" if pays else "fp32", ratio)


def _pass_seconds(precision: Precision, model: Model, batch: Batch, device: torch.device) -> float:
    start = time.perf_counter()
    for _, loss in moves(model):
        model.zero_grad(set_to_none=True)
        with precision.context(device):
            total = loss(batch).total
        total.backward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


_FIRST_SCALE, _GROWS_AFTER = 2.0**14, 2000


def start_scale(precision: Precision, progress: Progress) -> None:
    if precision.scaled and progress.step == 0 and progress.scale == 1.0:
        progress.scale = _FIRST_SCALE


def move_scale(precision: Precision, progress: Progress, finite: bool) -> bool:
    """Adapt the loss scale after a step. True if the step failed only because the scale was too high: no fault of the model."""
    if not precision.scaled:
        return False
    if finite:
        progress.scale_age += 1
        if progress.scale_age >= _GROWS_AFTER:
            progress.scale, progress.scale_age = progress.scale * 2, 0
        return False
    excused = progress.scale > 1.0
    progress.scale, progress.scale_age = max(1.0, progress.scale / 2), 0
    return excused
