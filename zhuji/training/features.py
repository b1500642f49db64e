"""What a head that is fitted to few labels reads: the pooled states of an encoder, and the runs of units and of their characters
(`nn.wide`). Shapes: N rows, D width of a pooled state, F buckets of runs.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zhuji.core.contracts import Encoded, Task
from zhuji.core.units import Units
from zhuji.model.assembly import Model, collate
from zhuji.model.pooled import embed_rows, unit_length
from zhuji.model.predictor import cut
from zhuji.nn.heads import Pooling
from zhuji.nn.wide import WideLinear, rarities, shares, spelt
from zhuji.tasks.classify import Classify

LONGEST = 2
"""Units of the longest run."""
_BATCH_UNITS = 1 << 16

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """Features of a head: the pooled state as it is or at length 1, and runs of up to `wide` units. `deep`: how loud the states speak
    beside the runs; `spelled`: how loud runs of characters speak beside runs of units, where the units' characters are known."""

    name: str
    unit_length: bool = False
    deep: float = 1.0
    wide: int = 0
    spelled: float = 1.0

    def on(self, task: Task, spelled: bool) -> Classify:
        """The task with these features; `spelled`: the units' characters are known."""
        features = {
            "unit_length": self.unit_length,
            "wide": self.wide,
            "spelled": self.spelled if self.wide and spelled else 0.0,
        }
        return Classify.parse({**task.plain(), **features})


@dataclass(frozen=True)
class HeadFeatures:
    """Of all training rows: pooled states `(N, D)`; of runs of units and of characters what they give, sparse rows `(N, F)` of length 1;
    and the layer that counts them and knows how rare each is."""

    states: Matrix
    runs: Sequence[Any]
    counter: WideLinear | None

    @classmethod
    def of(cls, model: Model, rows: Sequence[Encoded], task: Classify, others: Sequence[Encoded] = ()) -> HeadFeatures:
        """`others`: more rows, which bear no labels, and say which runs are rare."""
        states = embed_rows(model, rows, pool=Pooling(task.pool, model.backbone.out_width))
        if not model.modality.spec.num_ids:
            return cls(states, (), None)
        counter = _counter(model, task)
        return cls(states, _runs(model, rows, others, counter), counter)

    @property
    def spelled(self) -> bool:
        """Whether the units' characters are known."""
        return len(self.runs) > 1

    def scaled(self, way: Way) -> tuple[Matrix, Matrix, Matrix]:
        """The states `(N, D)` of mean 0, on average of length `way.deep`; the mean and the factor `(D,)` for that. Those of length 1 keep
        their shape, others get equal spread in all dimensions."""
        states = unit_length(self.states) if way.unit_length else self.states
        mean, spread = states.mean(0), states.std(0)
        if way.unit_length:
            factor = np.full_like(spread, way.deep / max(float(np.linalg.norm(spread)), 1e-6))
        else:
            factor = way.deep / (np.maximum(spread, 1e-6 + spread.max(initial=0) * 1e-3) * np.sqrt(states.shape[1]))
        return ((states - mean) * factor).astype(np.float32), mean, factor

    def told(self, way: Way) -> Any:
        """What the runs give, both kinds together: sparse `(N, F)`."""
        if not self.spelled:
            return self.runs[0]
        of_units, of_characters = shares(way.spelled)
        return of_units * self.runs[0] + of_characters * self.runs[1]

    def columns(self, way: Way, rows: Tensor) -> Any:
        """`(n, D + F)`, sparse: what a head reads of these rows; only D or only F where it reads one of them."""
        from scipy import sparse

        columns = [sparse.csr_matrix(self.scaled(way)[0][rows.numpy()])] if way.deep else []
        columns += [self.told(way)[rows.numpy()]] if way.wide else []
        return sparse.hstack(columns, format="csr")

    def gram(self, way: Way, rows: Tensor) -> Tensor:
        """`(n, n)`: products of these rows, each with a 1 appended."""
        chosen = self.scaled(way)[0][rows.numpy()].astype(np.float64)
        gram = torch.from_numpy(chosen @ chosen.T) + 1
        if way.wide:
            runs = self.told(way)[rows.numpy()].astype(np.float64)
            gram = gram + torch.from_numpy((runs @ runs.T).toarray())
        return gram


def _counter(model: Model, task: Classify) -> WideLinear:
    """The layer that counts runs, before it has learned anything."""
    spelling = model.modality.spelling()
    wide = WideLinear(task.wide_size, 1, LONGEST, len(spelling))
    if wide.spelling is not None:
        wide.spelling.copy_(spelt(spelling, wide.buckets))
    return wide


@torch.no_grad()
def _runs(model: Model, rows: Sequence[Encoded], others: Sequence[Encoded], counter: WideLinear) -> list[Any]:
    """Of each kind, `(N, F)` sparse: what the runs of every row give to each bucket, weighed by how rare they are among all rows and
    `others`: `counter` learns that."""
    from scipy import sparse

    having = sum(
        (_having(counter, units) for _, units in _batches(model, [*rows, *others])), np.zeros(counter.buckets, np.int64)
    )
    counter.rarity.copy_(torch.from_numpy(rarities(having, len(rows) + len(others))))
    parts: list[list[tuple[NDArray[Any], ...]]] = [[] for _ in counter.shares]
    for places, units in _batches(model, rows):
        for part, (buckets, values) in zip(parts, counter.kinds(units), strict=True):
            row, place = values.numpy().nonzero()
            part.append((values.numpy()[row, place], np.array(places)[row], buckets.numpy()[row, place]))
    found = [tuple(np.concatenate(column) for column in zip(*part, strict=True)) for part in parts]
    # Occurrences of a run add up.
    return [
        sparse.coo_matrix((value, (row, bucket)), shape=(len(rows), counter.buckets)).tocsr() for value, row, bucket in found
    ]


def _having(wide: WideLinear, units: Units) -> NDArray[np.int64]:
    """Of each bucket: rows that have a run in it, of whichever kind."""
    row, column = list[NDArray[Any]](), list[NDArray[Any]]()
    for buckets, real in wide.runs(units):
        at, place = real.numpy().nonzero()
        row.append(at)
        column.append(buckets.numpy()[at, place])
    pairs = np.unique(np.concatenate(row) * wide.buckets + np.concatenate(column))
    return np.bincount(pairs % wide.buckets, minlength=wide.buckets)


def _batches(model: Model, rows: Sequence[Encoded]) -> Iterator[tuple[list[int], Units]]:
    """Some rows at a time: their places and units."""
    for places, length in cut([row.length for row in rows], _BATCH_UNITS):
        yield places, collate(model, [rows[place] for place in places], None, length).units
