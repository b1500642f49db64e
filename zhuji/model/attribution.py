"""How much each unit of a row speaks for a number that a model gives: integrated gradients (Sundararajan et al. 2017, section 3) at the one
hook between stem and backbone, so that words, pixels, frames and columns are explained alike.

Shapes: N units of the grid unrolled, D width of a state, P points of the path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zhuji.core.contracts import About, Corrupt, One
from zhuji.core.units import Batch, Features, Units
from zhuji.model.assembly import Model, StemAndBody
from zhuji.model.predictor import BATCH_UNITS, evaluating
from zhuji.nn.layers import zeroed
from zhuji.nn.wide import WideLinear

FEWEST, MOST = 16, 256
"""Points of the path: twice as many until the sum is complete."""
METHOD = "integrated gradients"
TOLERANCE = 0.01
"""The sum is complete if it differs from that of the number by at most so much of it, or of 1 where that is more."""


@dataclass(frozen=True)
class Attribution:
    """`weights (N,)` float64: what each unit adds; `value`: the number that the model gives; `base`: what it gives where every unit is in the
    base state. `weights` add up to `value - base`, but for `gap`. `points`: how many of the path were looked at."""

    weights: np.ndarray
    value: float
    base: float
    points: int

    @property
    def gap(self) -> float:
        return self.value - self.base - float(self.weights.sum())

    @property
    def complete(self) -> bool:
        return abs(self.gap) <= TOLERANCE * max(abs(self.value - self.base), 1.0)


def attributed(model: Model, units: Units, about: About) -> Attribution:
    """What each unit of one row adds to the number that stands for `about`. Runs of units that a head reads by itself are added to the
    units that they consist of."""
    with evaluating(model):
        states = model.encoder.stem(units).states
        path = _Path(model, units, about, states, _base(model, units, states))
        base, value = path.values(torch.tensor([0.0, 1.0], device=states.device))
        points = FEWEST
        while True:
            found = Attribution(path.weights(points), value, base, points)
            if found.complete or points >= MOST:
                return found
            points *= 2


def _base(model: Model, units: Units, states: Tensor) -> Tensor:
    """The state of a unit that says nothing: the mean of all vectors of the stem, or zero where units have no ids. A norm between backbone and
    stem knows no length of a state: on the way from zero all would happen within the first thousandth."""
    table = model.encoder.table()
    return torch.zeros_like(states) if table is None else zeroed(table.mean(0).to(states.dtype).expand_as(states), units.mask)


@dataclass(frozen=True)
class _Path:
    """The straight way from the base states, where no run is heard either, to those of the row."""

    model: Model
    units: Units
    about: About
    states: Tensor
    base: Tensor

    def values(self, shares: Tensor) -> list[float]:
        """The number at these shares of the way, `(P,)`."""
        with _quieter(self.model, shares, []):
            return self._spoken(self._states(shares)).double().tolist()

    def weights(self, points: int) -> np.ndarray:
        """`(N,)` float64: the mean gradient along the way times the way, by Gauss and Legendre's rule."""
        places, shares = np.polynomial.legendre.leggauss(points)
        towards, told = torch.zeros_like(self.states), list[Tensor]()
        chunk = max(1, BATCH_UNITS // self.units.mask.numel())
        for begin in range(0, points, chunk):
            at, share = (
                torch.tensor(part[begin : begin + chunk] / 2 + shift, dtype=self.states.dtype, device=self.states.device)
                for part, shift in ((places, 0.5), (shares, 0.0))
            )
            of_states, *of_runs = self._gradients(at)
            towards = towards + torch.einsum("p,p...->...", share, of_states)
            sums = [share @ gradient for gradient in of_runs]
            told = [a + b for a, b in zip(told, sums, strict=True)] if told else sums
        found = (towards * (self.states - self.base)).double().sum(-1).flatten()
        for module, toward in zip(_wide(self.model), told, strict=True):
            found = found + module.told(self.units, toward)[0].double()
        return found.cpu().numpy()

    def _gradients(self, shares: Tensor) -> list[Tensor]:
        """Of the states `(P, *grid, D)`, then of what each wide layer says, `(P, O)`."""
        with torch.enable_grad():
            leaves = [self._states(shares).requires_grad_()]
            with _quieter(self.model, shares, leaves):
                spoken = self._spoken(leaves[0]).sum()
            return list(torch.autograd.grad(spoken, leaves, materialize_grads=True))

    def _states(self, shares: Tensor) -> Tensor:
        return self.base + shares.view(-1, *[1] * (self.states.ndim - 1)) * (self.states - self.base)

    def _spoken(self, states: Tensor) -> Tensor:
        task, rows = self.model.task, _repeated(self.units, len(states))
        outputs = task.outputs(_Moved(self.model.encoder, states), self.model.head, Batch(rows))
        return task.spoken_for(outputs, self.about)


@dataclass(frozen=True)
class _Moved:
    """The encoder, to which the stem has said `states`."""

    encoder: StemAndBody
    states: Tensor

    def __call__(self, units: Units, corrupt: Corrupt | None = None, one: One | None = None) -> Features:
        return self.encoder(units, lambda features: replace(features, states=self.states), one)

    def stem(self, units: Units) -> Features:
        return self.encoder.stem(units)

    def table(self) -> Tensor | None:
        return self.encoder.table()

    def teacher(self, units: Units) -> Features:
        return self.encoder.teacher(units)


def _wide(model: Model) -> list[WideLinear]:
    return [module for module in model.head.modules() if isinstance(module, WideLinear)]


@contextmanager
def _quieter(model: Model, shares: Tensor, leaves: list[Tensor]) -> Iterator[None]:
    """Wide layers say only these shares `(P,)` of what they say; it is added to `leaves`."""

    def speak(module: nn.Module, inputs: Any, said: Tensor) -> Tensor:
        leaves.append((shares[:, None] * said).detach().requires_grad_(torch.is_grad_enabled()))
        return leaves[-1]

    with ExitStack() as hooks:
        for module in _wide(model):
            hooks.callback(module.register_forward_hook(speak).remove)
        yield


def _repeated(units: Units, times: int) -> Units:
    """One row, several times."""
    given = {field.name: getattr(units, field.name) for field in fields(units)}
    return replace(units, **{name: None if one is None else one.expand(times, *one.shape[1:]) for name, one in given.items()})
