"""Raw inputs to answers, as training saw them: the one path behind `predict`, `evaluate`, validation and serving."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch

from zhuji.core.contracts import Columns, Encoded, Prediction
from zhuji.core.errors import NoWeights
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.seed import derive
from zhuji.core.units import Batch, Ratio, Units
from zhuji.data.clean import Cleaner
from zhuji.data.conll import words_of
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.data.tags import OUTSIDE
from zhuji.metrics.evidence import Evidence
from zhuji.modalities._sounds import Sounds
from zhuji.model.assembly import Model, collate

FIRST_WINDOW, LARGEST_WINDOW = 32, 4096
"""Rows sorted by length together. The first window is small so that the first answers of a slow stream come soon."""
BATCH_UNITS = 8192
FILES = 256
"""Pictures or sounds that are decoded and held at once."""
SECONDS = 7_680
"""Of sounds that may be as long as half a minute so many are; of longer ones there are fewer."""
PIXELS = 16
"""Pixels that cost as much as one unit of text: a first layer gives them few channels."""
COARSE_UNITS = 128
"""A processor computes fewer units faster in fp32: one text of 20 tokens took bert-mini 5.5 ms in bf16, and 3.5."""
SPREAD = 2.25
"""Attention is computed with padding, and costs the square of it."""
ALIKE = 64
"""Up to so many units rows count as of one length: another batch would cost more than the padding of their attention."""

T = TypeVar("T")
Precision = Literal["fp32", "bf16"]
Runner = Callable[[Units], Any]
"""A network in another format: from units to what `Task.answers` gives."""


@dataclass(frozen=True)
class Examined:
    """What evaluation saw of some records: the metrics' columns, the rows' ids and the mean loss, in the records' order; `answers` where
    they were asked for."""

    columns: Columns
    ids: tuple[str, ...]
    loss: float
    answers: Sequence[Prediction] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """An input as the model reads it: cleaned, and encoded."""

    cleaned: Any
    encoded: Encoded


@dataclass
class Predictor:
    """A model with all that turns a raw input into an answer. `roles` say in which columns of a file the input stands; `golden` are
    rows whose answers are known; `run` tells how the model came to be, `card` describes it (README.md of its bundle). `runner`: what runs in
    place of the model's network, which then has no weights; it computes in whatever it was written in."""

    model: Model
    clean: CleanSettings = field(default_factory=CleanSettings)
    roles: Roles = field(default_factory=lambda: Roles(text=("text",)))
    golden: Sequence[Mapping[str, Any]] = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    runner: Runner | None = None
    precision: Precision = "fp32"
    """What answers are computed in, where a batch is large enough to gain by it; evaluation is always in fp32."""

    def __post_init__(self) -> None:
        self._cleaner = Cleaner(self.clean)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu") if self.runner is not None else next(self.model.parameters()).device

    @property
    def batch_units(self) -> int:
        """Units of a batch where nothing else is asked for."""
        return BATCH_UNITS * (PIXELS if self.model.modality.light else 1)

    @property
    def window(self) -> int:
        """Inputs that are held at once."""
        modality = self.model.modality
        if isinstance(modality, Sounds):
            return max(1, min(FILES, int(SECONDS / modality.longest)))
        return LARGEST_WINDOW if modality.reads == "texts" else FILES

    def predict(self, inputs: Iterable[Any], batch_units: int | None = None) -> Iterator[Prediction]:
        """One answer per raw input, in order; at most `window` inputs are held at once."""
        for window in windows(inputs, self.window):
            yield from self.answers(self.ready(window), batch_units)

    def ready(self, inputs: Sequence[Any]) -> list[Ready]:
        """Raw inputs, cleaned and encoded; whoever answers rows of many askers together does this first."""
        cleaned = [self.cleaned(raw) for raw in inputs]
        return [Ready(raw, row) for raw, row in zip(cleaned, self.model.modality.encode(cleaned), strict=True)]

    def answers(self, rows: Sequence[Ready], batch_units: int | None = None) -> list[Prediction]:
        """One answer per row, in order."""
        found: dict[int, Prediction] = {}
        for places, length in self.cut([row.encoded for row in rows], batch_units or self.batch_units):
            chosen = [rows[place] for place in places]
            batch = collate(self.model, [row.encoded for row in chosen], None, length).to(self.device)
            told = self._told(self.run_network(batch.units), [row.cleaned for row in chosen], [row.encoded for row in chosen])
            found.update(zip(places, told, strict=True))
        return [found[place] for place in range(len(rows))]

    @property
    def unpads(self) -> bool:
        """Whether rows of unequal length may share a batch at little cost."""
        return self.runner is None and unpads(self.model, self.device)

    def cut(self, rows: Sequence[Encoded], batch_units: int) -> Iterator[tuple[list[int], int]]:
        """Which rows are best computed together, and the length that they are padded to: `(places, length)`."""
        return (cut_freely if self.unpads else cut)([row.length for row in rows], batch_units)

    def evidence(self, records: Iterable[Record]) -> tuple[Columns, tuple[str, ...]]:
        """Columns for metrics, and the ids, of records that were cleaned when read (`data.read.read_records` does)."""
        examined = self.examine(records)
        return examined.columns, examined.ids

    def examine(
        self,
        records: Iterable[Record],
        encoded: Iterable[Encoded] | None = None,
        batch_units: int | None = None,
        *,
        answers: bool = False,
    ) -> Examined:
        """Evidence and loss of records. `encoded`: the same rows if they are encoded already; with `answers`, whole answers are given and
        judged as well. An empty loss is NaN.

        Chance, where a task draws, is the same for the same records in the same order, and a task that learns from no label is
        examined in batches of one size: whoever asks, the loss is the same. Of a network in another format the loss is NaN, and only rows
        with labels or tags can be examined. Raises NoWeights.
        """
        self._refuse_without_weights()
        state, ids, given = Evidence.empty(), list[str](), list[Prediction]()
        batch_units = None if self.model.task.needs in ("nothing", "lesson") else batch_units
        total = count = 0.0
        ready = None if encoded is None else iter(encoded)
        for window in windows(records, self.window):
            inputs = [record.input for record in window]
            rows = self.model.modality.encode(inputs) if ready is None else list(islice(ready, len(window)))
            found: dict[int, Prediction] = {}
            for places, batch in self._batches(rows, window, batch_units or self.batch_units):
                outputs, loss, columns = self._examined(batch, derive(0, "evaluate", len(ids) + min(places)))
                total, count = total + float(loss.total), count + float(loss.count)
                if answers:
                    chosen = [window[place] for place in places]
                    told = self._told(outputs, [record.input for record in chosen], [rows[place] for place in places])
                    columns = {**columns, **self.model.task.judge(told, chosen)}
                    found.update(zip(places, told, strict=True))
                state.add(columns, np.array(places) + len(ids))
            given.extend(found[place] for place in range(len(found)))
            ids.extend(record.id for record in window)
        return Examined(state.columns(), tuple(ids), total / count if count else float("nan"), given)

    def run_network(self, units: Units) -> Any:
        """What the task's `decode` reads of these units, from the model or from what runs in its place."""
        if self.runner is not None:
            return self.runner(units)
        coarse = self.precision == "bf16" and (self.device.type != "cpu" or units.mask.numel() >= COARSE_UNITS)
        with resting(self.model), torch.autocast(self.device.type, torch.bfloat16, enabled=coarse):
            return self.model.answers(units)

    def words(self, raw: Any) -> tuple[str, ...]:
        """The words of one input that a model of tags answers for, one by one; none of another model."""
        return self.cleaned(raw) if self.model.task.needs == "tags" else ()

    def cleaned(self, raw: Any) -> Any:
        """A raw input as the modality encodes it."""
        if self.model.modality.reads != "texts":
            return raw
        if isinstance(raw, tuple | list):
            return self._cleaner.words([str(word) for word in cast(Sequence[Any], raw)])[0]
        text = self._cleaner(raw)[0] if isinstance(raw, str) else raw
        return words_of(text) if self.model.task.needs == "tags" and isinstance(text, str) else text

    def _told(self, outputs: Any, inputs: Sequence[Any], encoded: Sequence[Encoded]) -> list[Prediction]:
        """What the task answers, as a person reads it."""
        task = self.model.task
        with resting(self.model):
            found = task.decode(outputs)
        if task.writes:
            return [replace(one, answer=self.model.modality.decode(one.answer)) for one in found]
        if task.needs == "tags":
            return [replace(one, answer=_for_all_words(one.answer, raw)) for one, raw in zip(found, inputs, strict=True)]
        modality, stride = self.model.modality, self.model.backbone.stride
        placed = [modality.unplaced(one, row, stride) for one, row in zip(found, encoded, strict=True)]
        if modality.reads != "sounds":
            return placed
        return [replace(one, cut=row.cut * modality.unit_seconds) for one, row in zip(placed, encoded, strict=True)]

    def _batches(
        self, encoded: Sequence[Encoded], records: Sequence[Record], batch_units: int
    ) -> Iterator[tuple[list[int], Batch]]:
        """Places of rows, and the batch that they make."""
        for places, length in cut([row.length for row in encoded], batch_units):
            chosen = [records[place] for place in places]
            yield places, collate(self.model, [encoded[place] for place in places], chosen, length).to(self.device)

    def _examined(self, batch: Batch, seed: int) -> tuple[Any, Ratio, Columns]:
        """Outputs, loss and evidence of a batch; `seed`: what chance begins with."""
        task = self.model.task
        if self.runner is not None:
            outputs = self.runner(batch.units)
            return outputs, Ratio(torch.zeros(()), torch.zeros(())), task.evidence(outputs, batch)
        with evaluating(self.model, seed):
            outputs = self.model.outputs(batch)
        with evaluating(self.model, seed):
            return outputs, task.loss(outputs, batch), task.evidence(outputs, batch)

    def _refuse_without_weights(self) -> None:
        if self.runner is not None and self.model.task.needs not in ("label", "tags"):
            name = self.model.task.name()
            raise NoWeights(what=in_language(f"scoring task '{name}'", f"为任务「{name}」评分"))


def _for_all_words(tags: tuple[str, ...], words: Any) -> tuple[str, ...]:
    """Words that were cut off are outside of any span."""
    return (*tags, *[OUTSIDE] * (len(words) - len(tags)))[: len(words)] if isinstance(words, tuple) else tags


@contextlib.contextmanager
def resting(model: Model) -> Iterator[None]:
    """No dropout and no gradients; afterwards as before. A model that rests already is not walked through: that takes longer than a small
    network takes for a row."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            model.train()


@contextlib.contextmanager
def evaluating(model: Model, seed: int = 0) -> Iterator[None]:
    """As `resting`, with chance that begins at `seed`; afterwards it goes on as if nothing had been drawn."""
    device = next(model.parameters()).device
    with resting(model), torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def windows(rows: Iterable[T], largest: int = LARGEST_WINDOW) -> Iterator[list[T]]:
    """The rows in lists that double in size, up to `largest`."""
    remaining, size = iter(rows), min(FIRST_WINDOW, largest)
    while window := list(islice(remaining, size)):
        yield window
        size = min(2 * size, largest)


def padded(length: int) -> int:
    """The next of 8, 12, 16, 24, 32, 48 …: libraries cache by shape, so there may be few."""
    power = max(8, 1 << (length - 1).bit_length()) if length else 8
    return power * 3 // 4 if power > 8 and length <= power * 3 // 4 else power


def cut(lengths: Sequence[int], batch_units: int) -> Iterator[tuple[list[int], int]]:
    """Rows of one padded length together, `(places, length)`. A rest that does not fill a batch is cut into powers of two, again so
    that there are few shapes and no row is computed twice."""
    buckets: dict[int, list[int]] = {}
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        buckets.setdefault(padded(lengths[place]), []).append(place)
    for length, rows in buckets.items():
        start = 0
        while start < len(rows):
            size = share(len(rows) - start, length, batch_units)
            yield rows[start : start + size], length
            start += size


def unpads(model: Model, device: torch.device) -> bool:
    """Whether this network on this device leaves padding out, so that `cut_freely` serves it better than `cut`."""
    return model.backbone.unpads and device.type == "cpu"


def share(waiting: int, length: int, batch_units: int) -> int:
    """How many of the rows that wait are computed at once: a full batch, else a power of two."""
    full = max(1, batch_units // length)
    return full if waiting >= full else 1 << (waiting.bit_length() - 1)


def cut_freely(lengths: Sequence[int], batch_units: int) -> Iterator[tuple[list[int], int]]:
    """As `cut`, for a network that leaves padding out: few large batches, of lengths that differ by a factor of `SPREAD` at most, or are short."""
    rows: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = _even(lengths[place])
        if rows and (length > max(ALIKE, SPREAD * padded(lengths[rows[0]])) or length * (len(rows) + 1) > batch_units):
            yield rows, _even(lengths[rows[-1]])
            rows = []
        rows.append(place)
    if rows:
        yield rows, _even(lengths[rows[-1]])


def _even(length: int) -> int:
    """The next multiple of 4; many more shapes than `padded` has, and still few enough to be remembered."""
    return max(4, -(-length // 4) * 4)
