"""From prepared rows to what the loop eats: the modality fitted and every row encoded, once.

Encoded rows are views into one flat array a split, so a million short rows cost their units and not a million arrays.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zhuji.core.contracts import Encoded, Modality, Task
from zhuji.core.records import SPLITS, Record
from zhuji.core.seed import derive
from zhuji.core.units import Batch
from zhuji.data.loader import BatchPlan
from zhuji.data.prepare import Prepared

_CHUNK = 4096
"""Rows encoded at once: bounds the memory for what tokenizers return."""


@dataclass(frozen=True)
class Rows:
    """One split, encoded. `lengths (N,)` int64 in units; `targets`: name -> (N, …)."""

    modality: Modality
    records: Sequence[Record]
    encoded: Sequence[Encoded]
    targets: Mapping[str, Tensor]
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.records)

    def batch(self, plan: BatchPlan) -> Batch:
        """The batch that a plan describes, padded to the plan's length."""
        units = self.modality.collate([self.encoded[i] for i in plan.rows], (plan.length,))
        chosen = torch.from_numpy(plan.rows)
        return Batch(units, {name: target[chosen] for name, target in self.targets.items()})

    def digest(self) -> bytes:
        """Changes with any unit or target of any row."""
        digest = hashlib.sha256(self.lengths.tobytes())
        for row in self.encoded:
            for array in (row.ids, row.values):
                digest.update(b"" if array is None else array.tobytes())
        for name in sorted(self.targets):
            digest.update(self.targets[name].numpy().tobytes())
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
    prepared: Prepared, modality: Modality, task: Task, seed: int, *, fitted: Mapping[str, bytes] | None = None
) -> Material:
    """Fit modality and task on the training split and encode all splits; gives every kept row its fate in the ledger.

    `fitted`: what an earlier `fit` learned (see `Modality.files`), to be used in place of learning it again.
    """
    train = prepared.split("train")
    if fitted is None:
        modality = modality.fit((record.input for record in train), derive(seed, "modality"))
    else:
        modality = modality.with_files(fitted)
    task = task.fit(train)
    rows = {split: encode(modality, task, prepared.split(split)) for split in SPLITS}
    for part in rows.values():
        settle(prepared, part)
    assert prepared.ledger.balanced, "every row read must have exactly one fate"
    return Material(modality, task, rows)


def encode(modality: Modality, task: Task, records: Sequence[Record]) -> Rows:
    """Rows of one split."""
    encoded: list[Encoded] = []
    for start in range(0, len(records), _CHUNK):
        encoded += _compact(modality.encode([record.input for record in records[start : start + _CHUNK]]))
    lengths = np.array([row.length for row in encoded], dtype=np.int64)
    targets = [task.targets(record) for record in records]
    names = targets[0] if targets else {}
    return Rows(modality, records, encoded, {name: torch.stack([t[name] for t in targets]) for name in names}, lengths)


def _compact(rows: list[Encoded]) -> list[Encoded]:
    """The same rows as views into one array."""
    if any(row.ids is None or row.ids.ndim != 1 or row.values is not None for row in rows):
        return rows
    together = np.concatenate([row.ids for row in rows if row.ids is not None]) if rows else np.empty(0, np.int32)
    ends = np.cumsum([row.length for row in rows])
    return [Encoded(ids=together[end - row.length : end], cut=row.cut) for row, end in zip(rows, ends, strict=True)]


def settle(prepared: Prepared, part: Rows) -> None:
    """Rows that were read are used whole or cut; rows that were made have no fate, for they were never read."""
    read = {record.id for record in part.records}
    for record, row in zip(part.records, part.encoded, strict=True):
        copy_of, plus, _ = record.id.rpartition("+")
        if plus and copy_of in read:
            continue
        fate, cause = ("cut", "too long") if row.cut else ("used", "")
        prepared.ledger.settle(fate, cause, split=record.split, label=record.label)
        prepared.ledger.units += row.length
        prepared.ledger.units_cut += row.cut
