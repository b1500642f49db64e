"""Everything that training changes, in one place: what is not here (and not in the run's settings) cannot matter for resuming.

There is no generator state: every batch seeds the generators anew from (seed, batch number), see `loop.py`.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from zhuji.core.contracts import ONLY
from zhuji.model.assembly import Model
from zhuji.training.optim import Optimiser

History = list[dict[str, Any]]


def remembered(model: nn.Module) -> Callable[[], None]:
    """What sets back what the norms of `model` remember of the batches that they have seen, as it is now."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]

    @torch.no_grad()
    def set_back() -> None:
        for buffer, old in before:
            buffer.copy_(old)

    return set_back


@contextmanager
def untouched(model: nn.Module) -> Generator[None]:
    """Passes through `model` that are none of its training's leave nothing in its norms."""
    set_back = remembered(model)
    try:
        yield
    finally:
        set_back()


@dataclass
class Progress:
    """The numbers of a run so far. `step` counts optimiser steps done; scores are those of the task's first metric."""

    step: int = 0
    bad_steps: int = 0
    seconds: float = 0.0
    units: int = 0
    padding: int = 0
    """Padded positions that were computed for nothing, so far."""
    best_score: float | None = None
    best_step: int = 0
    waiting: int = 0
    """Validations since the best one."""
    stopped: bool = False
    """Early stopping has spoken."""
    history: History = field(default_factory=list)
    """One entry a validation."""
    losses: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    """Sum and count of each player's loss since the last logged line."""
    logged: int = 0
    validated: int = 0
    """The last steps with a logged line and with a validation."""
    scale: float = 1.0
    """Loss scale of fp16."""
    scale_age: int = 0

    @property
    def waste(self) -> float:
        """Share of computed positions that were padding."""
        return self.padding / max(1, self.units + self.padding)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        kept: dict[str, Any] = dict(data)
        # As runs were stopped before there were players.
        total, count = kept.pop("loss_total", 0.0), kept.pop("loss_count", 0.0)
        if count:
            kept["losses"] = {ONLY: (total, count)}
        return cls(**kept)


class State:
    """Model, moving average of its weights, optimiser and progress."""

    def __init__(self, model: Model, optimiser: Optimiser, average: float = 0.0) -> None:
        self.model, self.optimiser, self.decay = model, optimiser, average
        self.averaged: Model | None = copy.deepcopy(model).requires_grad_(False) if average else None
        self.progress = Progress()
        self.whole = True
        """False only while an optimiser step is under way: such a state must not be saved."""

    @property
    def judged(self) -> Model:
        """The model that is evaluated and saved: the averaged one where there is one."""
        return self.averaged if self.averaged is not None else self.model

    @torch.no_grad()
    def average(self) -> None:
        """Move the average towards the weights. Its decay rises to its value as (1 + n) / (10 + n), so that the untrained weights are soon
        forgotten in a short run."""
        if self.averaged is None:
            return
        step = self.progress.step
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for mean, new in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
            if new.requires_grad:  # the mean of what stands still is itself, to the last bit only where nothing is computed
                mean.lerp_(new.detach(), weight)
        for mean, new in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            mean.copy_(new)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors under flat names: `model/…`, `averaged/…`, `optimiser/…`."""
        groups = {"model": self.model.state_dict(), "optimiser": self.optimiser.tensors()}
        if self.averaged is not None:
            groups["averaged"] = self.averaged.state_dict()
        return {f"{group}/{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}

    def load(self, tensors: Mapping[str, Tensor], progress: Progress) -> None:
        """Take up a saved state; the inverse of `tensors`."""
        self.model.load_state_dict(_group(tensors, "model"))
        if self.averaged is not None:
            self.averaged.load_state_dict(_group(tensors, "averaged"))
        self.optimiser.load(_group(tensors, "optimiser"))
        self.progress = progress

    def judged_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of a saved state, the weights of the model that is judged."""
        return _group(tensors, "averaged" if self.averaged is not None else "model")


def _group(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    return {name.partition("/")[2]: tensor for name, tensor in tensors.items() if name.startswith(f"{group}/")}
