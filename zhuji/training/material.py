"""From prepared rows to what the loop eats: the modality fitted and every row encoded, once.

Encoded rows are views into one flat array a split, so a million short rows cost their units and not a million arrays.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zhuji.core.contracts import Encoded, Modality, Task
from zhuji.core.records import SPLITS, Record
from zhuji.core.seed import derive
from zhuji.core.units import Batch
from zhuji.data.loader import BatchPlan
from zhuji.data.media import heard_in
from zhuji.data.prepare import Prepared, counted_as
from zhuji.model.assembly import grid_of
from zhuji.training.pixels import kept

_CHUNK = 4096
"""Rows encoded at once: bounds the memory for what tokenizers return."""
_STEP = 8
"""Second inputs are padded to a multiple of this, so that there are few shapes."""


@dataclass(frozen=True)
class Ragged:
    """A target whose first axis differs from row to row: all rows one behind the other, `flat (S, …)`, and where each ends, `ends (N,)`."""

    flat: Tensor
    ends: Tensor

    @classmethod
    def of(cls, rows: Sequence[Tensor]) -> Ragged:
        return cls(torch.cat(list(rows)), torch.tensor([len(row) for row in rows]).cumsum(0))

    def __getitem__(self, index: Tensor) -> Tensor:
        """Rows `(B, longest, …)`, filled up with -1."""
        starts = torch.cat((self.ends.new_zeros(1), self.ends[:-1]))
        rows = [self.flat[a:b] for a, b in zip(starts[index].tolist(), self.ends[index].tolist(), strict=True)]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


@dataclass(frozen=True)
class Rows:
    """One split, encoded. `lengths (N,)` int64 in units; `targets`: name -> (N, …), or rows of unequal length; `others`: of paired
    tasks, the second inputs."""

    modality: Modality
    records: Sequence[Record]
    encoded: Sequence[Encoded]
    targets: Mapping[str, Tensor | Ragged]
    lengths: np.ndarray
    others: Sequence[Encoded] = ()
    twice: bool = False
    """A batch to train on holds two variations of each row."""

    def __len__(self) -> int:
        return len(self.records)

    def batch(self, plan: BatchPlan) -> Batch:
        """The batch that a plan describes, padded to the plan's length."""
        encoded = [self.encoded[i] for i in plan.rows]
        units = self.modality.collate(encoded, grid_of(encoded, plan.length))
        chosen = torch.from_numpy(plan.rows)
        targets = {name: target[chosen] for name, target in self.targets.items()}
        if not self.others:
            return Batch(units, targets)
        others = [self.others[i] for i in plan.rows]
        longest = max(row.length for row in others)
        return Batch(units, targets, self.modality.collate(others, (-(-longest // _STEP) * _STEP,)))

    def varied(self, plan: BatchPlan, seed: int) -> Batch:
        """The batch to train on: as `batch` makes it, then varied by chance, which `seed` decides alone."""
        batch, chance = self.batch(plan), torch.Generator().manual_seed(seed)
        varied = self.modality.varied(batch, chance)
        return replace(varied, other=self.modality.varied(batch, chance).units) if self.twice else varied

    def digest(self) -> bytes:
        """Changes with any unit or target of any row."""
        digest = hashlib.sha256(self.lengths.tobytes())
        for row in (*self.encoded, *self.others):
            for array in (row.ids, row.values, row.words, row.parts, row.frame):
                digest.update(b"" if array is None else array.tobytes())
        for name in sorted(self.targets):
            target = self.targets[name]
            for part in (target.flat, target.ends) if isinstance(target, Ragged) else (target,):
                digest.update(part.numpy().tobytes())
        return digest.digest()


@dataclass(frozen=True)
class Material:
    """The fitted modality and task, and the rows of each split."""

    modality: Modality
    task: Task
    rows: Mapping[str, Rows]

    def digest(self) -> str:
        """One sha256 of all that training sees."""
        return hashlib.sha256(b"".join(self.rows[split].digest() for split in SPLITS)).hexdigest()


def gather(
    prepared: Prepared,
    modality: Modality,
    task: Task,
    seed: int,
    *,
    fitted: Mapping[str, bytes] | None = None,
    learn_task: bool = True,
    scratch: Path | None = None,
) -> Material:
    """Fit modality and task on the training split and encode all splits; gives every kept row its fate in the ledger.

    `fitted`: what an earlier `fit` learned (see `Modality.files`), to be used in place of learning it again; without `learn_task` the
    task is taken as one that knows already. `scratch`: see `encode`.
    """
    train = prepared.split("train")
    modality = (
        modality.with_files(fitted) if fitted is not None else modality.fit(_inputs(train, task), derive(seed, "modality"))
    )
    task = task.fit(train) if learn_task else task
    rows = {split: encode(modality, task, prepared.split(split), scratch) for split in (*SPLITS, *prepared.more_tests)}
    for part in rows.values():
        settle(prepared, part)
    assert prepared.ledger.balanced, "every row read must have exactly one fate"
    return Material(modality, task, rows)


def _inputs(records: Sequence[Record], task: Task) -> Iterator[Any]:
    """What a vocabulary is learned from: of pairs, both."""
    for record in records:
        yield record.input
        if task.needs == "target":
            yield record.target


def encode(modality: Modality, task: Task, records: Sequence[Record], scratch: Path | None = None) -> Rows:
    """Rows of one split. `scratch`: a folder on disk for decoded pictures that take more memory than there is to spare."""
    encoded = _encoded(modality, [record.input for record in records], scratch)
    lengths = np.array([row.length for row in encoded], dtype=np.int64)
    targets = [task.targets(modality.placed(record, row)) for record, row in zip(records, encoded, strict=True)]
    names = targets[0] if targets else {}
    whole = {name: together([row[name] for row in targets]) for name in names}
    others = _encoded(modality, [record.target for record in records], scratch) if task.needs == "target" else ()
    return Rows(modality, records, encoded, whole, lengths, others, twice=task.by_variation)


def _encoded(modality: Modality, inputs: Sequence[Any], scratch: Path | None) -> list[Encoded]:
    if modality.reads == "pictures":
        return kept(modality, inputs, scratch)
    encoded: list[Encoded] = []
    for start in range(0, len(inputs), _CHUNK):
        encoded += _compact(modality.encode(inputs[start : start + _CHUNK]))
    return encoded


def together(rows: Sequence[Tensor]) -> Tensor | Ragged:
    """Rows along a new first axis."""
    return torch.stack(list(rows)) if len({row.shape for row in rows}) == 1 else Ragged.of(rows)


def _compact(rows: list[Encoded]) -> list[Encoded]:
    """The same rows as views into one array."""
    if any(row.ids is None or row.ids.ndim != 1 or row.values is not None for row in rows):
        return rows
    ends = np.cumsum([row.length for row in rows])
    columns = [_views([getattr(row, name) for row in rows], ends) for name in ("ids", "words", "parts")]
    found = zip(rows, *columns, strict=True)
    return [Encoded(ids=ids, cut=row.cut, words=words, parts=parts) for row, ids, words, parts in found]


def _views(arrays: Sequence[np.ndarray | None], ends: np.ndarray) -> Sequence[np.ndarray | None]:
    """Equal arrays that lie one behind the other in one."""
    if not arrays or any(array is None for array in arrays):
        return arrays
    joined = np.concatenate([array for array in arrays if array is not None])
    return [joined[end - len(array) : end] for array, end in zip(arrays, ends, strict=True) if array is not None]


def settle(prepared: Prepared, part: Rows) -> None:
    """Rows that were read are used whole or cut; rows that were made have no fate, for they were never read."""
    read = {record.id for record in part.records}
    for record, row in zip(part.records, part.encoded, strict=True):
        copy_of, plus, _ = record.id.rpartition("+")
        if plus and copy_of in read:
            continue
        fate, cause = ("cut", part.modality.cut_by) if row.cut else ("used", "")
        prepared.ledger.settle(fate, cause, split=record.split, label=counted_as(record))
        prepared.ledger.measure(row.length, row.cut, part.modality.unit_seconds, heard_in(record))
