"""When things happen in a run: how many optimiser steps, after which ones validation comes, and what the rate is at each.

Two counts must not be confused: a *batch* is what the loader gives, a *step* is one move of the optimiser; a step takes
`accumulate` batches.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Protocol

from zhuji.training.run import OptimSettings, TrainSettings


class Epochs(Protocol):
    """What a timetable needs to know of a loader."""

    def steps_in_epoch(self, e: int, /) -> int: ...


@dataclass(frozen=True)
class Timetable:
    """`steps` optimiser steps in all; validation after each step in `validations`; the last is always one of them."""

    steps: int
    validations: frozenset[int]


def timetable(settings: TrainSettings, loader: Epochs) -> Timetable:
    """The plan of a run, known before it starts, so that a resumed run follows the same one."""
    clock = _Clock(loader, settings.accumulate)
    steps = settings.steps or max(settings.least_steps, clock.step_at(settings.epochs))
    validations = {steps}
    every = max(settings.evaluate_every, settings.accumulate / max(1, loader.steps_in_epoch(0)))
    for k in itertools.count(1):
        step = clock.step_at(k * every)
        if step >= steps or len(validations) >= steps:
            break
        validations.add(max(1, step))
    return Timetable(steps, frozenset(validations))


class _Clock:
    """From epochs to optimiser steps; asks the loader for each epoch once."""

    def __init__(self, loader: Epochs, accumulate: int) -> None:
        self._loader, self._accumulate = loader, accumulate
        self._starts = [0]

    def step_at(self, epochs: float) -> int:
        """The optimiser step that completes so many epochs; a part of an epoch counts by its share of batches."""
        whole = int(epochs)
        while len(self._starts) <= whole + 1:
            self._starts.append(self._starts[-1] + self._loader.steps_in_epoch(len(self._starts) - 1))
        start, end = self._starts[whole : whole + 2]
        return math.ceil((start + round((epochs - whole) * (end - start))) / self._accumulate)


def rate(settings: OptimSettings, step: int, steps: int) -> float:
    """The learning rate of step `step` (0-based) of `steps`: a linear rise over the warm-up, then the schedule, never below the floor.

    linear, cosine: Loshchilov & Hutter 2017, section 3 (without restarts); inverse_sqrt: Vaswani et al. 2017, section 5.3.
    """
    warm = round(settings.warmup * steps)
    if step < warm:
        return settings.lr * (step + 1) / (warm + 1)
    done = (step - warm) / max(1, steps - warm)
    fall = 1 - settings.floor
    match settings.schedule:
        case "constant":
            share = 1.0
        case "linear":
            share = settings.floor + fall * (1 - done)
        case "cosine":
            share = settings.floor + fall * (1 + math.cos(math.pi * done)) / 2
        case "inverse_sqrt":
            share = max(settings.floor, math.sqrt((warm + 1) / (step + 1)))
    return settings.lr * share
