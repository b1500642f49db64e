"""Raw inputs to answers, as training saw them: the one path behind `predict`, `evaluate`, validation and serving."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch

from zhuji.core.contracts import Columns, Encoded, Prediction
from zhuji.core.records import Record
from zhuji.core.units import Batch
from zhuji.data.clean import Cleaner
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.metrics.evidence import Evidence
from zhuji.model.assembly import Model, collate

FIRST_WINDOW, LARGEST_WINDOW = 32, 4096
"""Rows sorted by length together. The first window is small so that the first answers of a slow stream come soon."""
BATCH_UNITS = 8192

T = TypeVar("T")


@dataclass(frozen=True)
class Examined:
    """What evaluation saw of some records: the metrics' columns, the rows' ids and the mean loss, in the records' order."""

    columns: Columns
    ids: tuple[str, ...]
    loss: float


@dataclass
class Predictor:
    """A model with all that turns a raw input into an answer. `roles` say in which columns of a file the input stands; `golden` are
    rows whose answers are known; `run` tells how the model came to be, `card` describes it (README.md of its bundle)."""

    model: Model
    clean: CleanSettings = field(default_factory=CleanSettings)
    roles: Roles = field(default_factory=lambda: Roles(text=("text",)))
    golden: Sequence[Mapping[str, Any]] = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""

    def __post_init__(self) -> None:
        self._cleaner = Cleaner(self.clean)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def predict(self, inputs: Iterable[Any], batch_units: int = BATCH_UNITS) -> Iterator[Prediction]:
        """One answer per raw input, in order; at most `LARGEST_WINDOW` inputs are held at once."""
        for window in windows(inputs):
            encoded = self.model.modality.encode([self._cleaned(raw) for raw in window])
            yield from self._answers(encoded, batch_units)

    def evidence(self, records: Iterable[Record]) -> tuple[Columns, tuple[str, ...]]:
        """Columns for metrics, and the ids, of records that were cleaned when read (`data.read.read_records` does)."""
        examined = self.examine(records)
        return examined.columns, examined.ids

    def examine(
        self, records: Iterable[Record], encoded: Iterable[Encoded] | None = None, batch_units: int = BATCH_UNITS
    ) -> Examined:
        """Evidence and loss of records. `encoded`: the same rows if they are encoded already. An empty loss is NaN."""
        state, ids = Evidence.empty(), list[str]()
        total = count = 0.0
        ready = None if encoded is None else iter(encoded)
        for window in windows(records):
            inputs = [record.input for record in window]
            rows = self.model.modality.encode(inputs) if ready is None else list(islice(ready, len(window)))
            for places, outputs, batch in self._forward(rows, window, batch_units):
                with torch.no_grad():
                    loss = self.model.task.loss(outputs, batch)
                total, count = total + float(loss.total), count + float(loss.count)
                state.add(self.model.task.evidence(outputs, batch), np.array(places) + len(ids))
            ids.extend(record.id for record in window)
        return Examined(state.columns(), tuple(ids), total / count if count else float("nan"))

    def check_golden(self) -> tuple[int, float]:
        """Golden rows whose answer is another than when the model was saved, and the largest difference of a score (of a number:
        relative to its size). Numbers count as another answer from a difference of 0.1 %."""
        answers = self.predict([row["input"] for row in self.golden])
        pairs = [_difference(row, now) for row, now in zip(self.golden, answers, strict=True)]
        return sum(flip for flip, _ in pairs), max((gap for _, gap in pairs), default=0.0)

    def _cleaned(self, raw: Any) -> Any:
        return self._cleaner(raw)[0] if isinstance(raw, str) else raw

    def _answers(self, encoded: Sequence[Encoded], batch_units: int) -> list[Prediction]:
        found: dict[int, Prediction] = {}
        for places, outputs, _ in self._forward(encoded, None, batch_units):
            found.update(zip(places, self.model.task.decode(outputs), strict=True))
        return [found[place] for place in range(len(encoded))]

    def _forward(
        self, encoded: Sequence[Encoded], records: Sequence[Record] | None, batch_units: int
    ) -> Iterator[tuple[list[int], Any, Batch]]:
        """Places, outputs and batch, batch by batch. The model's training mode is left as it was."""
        for places, length in cut([row.length for row in encoded], batch_units):
            chosen = None if records is None else [records[place] for place in places]
            batch = collate(self.model, [encoded[place] for place in places], chosen, length).to(self.device)
            with evaluating(self.model):
                outputs = self.model.outputs(batch)
            yield places, outputs, batch


@contextlib.contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """No dropout, no gradients; afterwards as before."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def windows(rows: Iterable[T]) -> Iterator[list[T]]:
    """The rows in lists that double in size, up to `LARGEST_WINDOW`."""
    remaining, size = iter(rows), FIRST_WINDOW
    while window := list(islice(remaining, size)):
        yield window
        size = min(2 * size, LARGEST_WINDOW)


def padded(length: int) -> int:
    """The next of 8, 12, 16, 24, 32, 48 …: libraries cache by shape, so there may be few."""
    power = max(8, 1 << (length - 1).bit_length()) if length else 8
    return power * 3 // 4 if power > 8 and length <= power * 3 // 4 else power


def cut(lengths: Sequence[int], batch_units: int) -> Iterator[tuple[list[int], int]]:
    """Rows of one padded length together, `(places, length)`. A rest that does not fill a batch is cut into powers of two, again so
    that there are few shapes and no row is computed twice."""
    places = sorted(range(len(lengths)), key=lambda place: lengths[place])
    buckets: dict[int, list[int]] = {}
    for place in places:
        buckets.setdefault(padded(lengths[place]), []).append(place)
    for length, rows in buckets.items():
        full, start = max(1, batch_units // length), 0
        while start < len(rows):
            left = len(rows) - start
            size = full if left >= full else 1 << (left.bit_length() - 1)
            yield rows[start : start + size], length
            start += size


def _difference(then: Mapping[str, Any], now: Prediction) -> tuple[bool, float]:
    """Whether the answer is another one, and by how much scores differ."""
    before, answer = then["answer"], now.answer
    if isinstance(answer, float):
        if not isinstance(before, int | float):
            return True, math.inf
        gap = abs(answer - before) / max(1.0, abs(before))
        return gap > 1e-3, gap
    old, new = then["scores"] or {}, now.scores or {}
    gaps = [abs(old.get(name, 0.0) - new.get(name, 0.0)) for name in {*old, *new}]
    # JSON knows lists only.
    same = answer == (tuple(before) if isinstance(before, list) else before)
    return not same, max(gaps, default=0.0)
