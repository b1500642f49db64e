"""Scores of a finished model on labelled rows, through the same path that training took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, tee
from pathlib import Path
from typing import Any

from zhuji.core.config import assignments, overlay
from zhuji.core.contracts import Encoded, Modality
from zhuji.core.errors import MissingColumn
from zhuji.core.files import read_json
from zhuji.core.records import Record
from zhuji.data.infer import Roles, infer_roles, named_files
from zhuji.data.ledger import Ledger
from zhuji.data.media import heard_in
from zhuji.data.names import split_name, test_name
from zhuji.data.prepare import counted_as, limit_dropped
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.data.sources import Source, open_source
from zhuji.formats import open_model
from zhuji.metrics.intervals import Interval
from zhuji.model.predictor import Predictor
from zhuji.tools._own_rows import own_test_rows
from zhuji.tools._seeking import sought, without
from zhuji.training import threads
from zhuji.training.evaluation import Scores, score
from zhuji.training.run import EvaluateSettings

_CHUNK = 256
"""Rows encoded at once."""
_MOST_UNITS = 1 << 20


@dataclass(frozen=True)
class Evaluation:
    """`scores`: metric -> interval, the model's first metric first; `split`: the part of the data that was scored, if it names
    parts; `unseen`: rows whose label training never met (they count as wrong)."""

    model: str
    data: str
    split: str | None
    rows: int
    unseen: int
    scores: Mapping[str, Interval]
    per_class: Sequence[Mapping[str, Any]]
    confusion: Sequence[Sequence[int]]
    ledger: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data, "split": self.split, "rows": self.rows, "unseen": self.unseen,
            "scores": {name: interval.as_dict() for name, interval in self.scores.items()},
            "per_class": [dict(row) for row in self.per_class], "confusion": [list(row) for row in self.confusion],
            "ledger": dict(self.ledger), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def evaluate(
    model: Path | str,
    data: Path | str | None = None,
    *,
    seed: int | None = None,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    predictor: Predictor | None = None,
) -> Evaluation:
    """Score a run or a bundle on `data`; without it, a run on its own test split, with the numbers that training gave.

    `columns` names columns that are called otherwise than in training (keys as in `DataSettings`); of data with a split column only
    the test rows are scored, if there are any. `decode.…` of `sets` say how answers are sought. `seed` draws the bootstrap (default: the run's). Raises NotABundle, ChangedSinceStart,
    and what reading raises.
    """
    begun = time.monotonic()
    threads.use(None)
    predictor, sets = sought(predictor or open_model(model), sets), without(sets)
    if data is None:
        found = _own_test(Path(model), predictor, seed, sets)
    else:
        found = _on_data(predictor, str(model), {"path": str(data), **(columns or {})}, seed or 0, sets)
    return replace(found, seconds=time.monotonic() - begun)


def _own_test(folder: Path, predictor: Predictor, seed: int | None, sets: Sequence[str]) -> Evaluation:
    run, records = own_test_rows(folder, predictor.model.task.needs, sets)
    scores = score(
        predictor,
        records,
        resamples=run.evaluate.bootstrap,
        seed=run.seed if seed is None else seed,
        batch_units=run.train.batch_units,
        answers=bool(predictor.model.task.answer_metrics()),
    )
    ledger = read_json(folder / "ledger.json") if (folder / "ledger.json").is_file() else {}
    return _evaluation(str(folder), run.data.path, "test", scores, ledger)


def _on_data(predictor: Predictor, model: str, columns: Mapping[str, Any], seed: int, sets: Sequence[str]) -> Evaluation:
    asked = assignments(sets)
    settings = DataSettings.parse(overlay({"clean": predictor.clean.plain(), **columns}, asked.get("data", {})), "data")
    options = EvaluateSettings.parse(asked.get("evaluate", {}), "evaluate")
    source = open_source(settings)
    roles = roles_for(predictor, source, settings)
    split = _test_split(source, roles)
    ledger = Ledger()
    records = read_records(settings, roles, ledger, source=source)
    first, second = tee(_encoded(predictor.model.modality, _only(records, split, ledger), ledger))
    scores = score(
        predictor, (record for record, _ in first), (encoded for _, encoded in second),
        resamples=options.bootstrap, seed=seed, batch_units=_batch_units(predictor),
        answers=bool(predictor.model.task.answer_metrics()),
    )  # fmt: skip
    limit_dropped(_without_other_splits(ledger), settings)
    return _evaluation(model, settings.path, split, scores, ledger.as_dict())


def _batch_units(predictor: Predictor) -> int:
    """The budget that training scored with: in batches of another size the last bits are others. A bundle's word is not trusted
    with the memory of this machine."""
    train: Any = predictor.run.get("train")
    asked = train.get("batch_units") if isinstance(train, Mapping) else None
    return min(asked, _MOST_UNITS) if isinstance(asked, int) and asked > 0 else predictor.batch_units


def _evaluation(model: str, data: str, split: str | None, scores: Scores, ledger: Mapping[str, Any]) -> Evaluation:
    return Evaluation(
        model, data, split, scores.rows, scores.unseen, scores.metrics, scores.per_class, scores.confusion, ledger
    )


def roles_for(predictor: Predictor, source: Source, settings: DataSettings) -> Roles:
    """The columns of this source by the names that training knew, unless the settings name others; what is absent is inferred."""
    known = predictor.roles
    if known.recording is not None:
        return _spoken(known, source, settings)
    named = {role: getattr(known, role) for role in ("text", "label") if getattr(settings, role) is None}
    if settings.target is None and known.target in source.columns:
        settings = settings.model_copy(update={"target": known.target})
    settings = named_files(settings, known, source.columns)
    present = {role: names for role, names in named.items() if names and set(names) <= set(source.columns)}
    inferred = infer_roles(source, settings.model_copy(update=present), pairs=known.kind == "pair")
    scheme = inferred.scheme or known.scheme
    return replace(inferred, kind=known.kind, scheme=scheme, label_separator=settings.label_separator or known.label_separator)


def _spoken(known: Roles, source: Source, settings: DataSettings) -> Roles:
    """Texts and the sounds in which they are said, by the names that training knew. Raises MissingColumn where one of both is not there."""
    named = {"target": known.text[0], "sound": known.recording}
    for role, name in named.items():
        asked = getattr(settings, role) or name
        if asked not in source.columns:
            raise MissingColumn(file=settings.path, role=role, name=asked, columns=", ".join(source.columns[:20]))
        settings = settings.model_copy(update={role: asked})
    return infer_roles(source, settings, pairs=True).spoken()


_OTHER = "not in the test split"


def _test_split(source: Source, roles: Roles) -> str | None:
    """What the rows say that are to be scored: `test`, or of several test sets the first by name; None where no row is a test row."""
    column = roles.split
    if any(part.split == "test" for part in source.parts):
        return "test"
    if column is None:
        return None
    told = Counter(str(row.values.get(column)) for row in source if row.values)
    if any(split_name(name) == "test" for name in told):
        return "test"
    return min(filter(None, map(test_name, told)), default=None)


def _only(records: Iterable[Record], split: str | None, ledger: Ledger) -> Iterator[Record]:
    for record in records:
        if split is None or split in (split_name(record.split), test_name(record.split)):
            yield record
        else:
            ledger.drop(_OTHER, split=record.split, label=record.label)
            ledger.seconds_dropped += heard_in(record)


def _encoded(modality: Modality, records: Iterator[Record], ledger: Ledger) -> Iterator[tuple[Record, Encoded]]:
    """Each record with its units; gives it its fate."""
    while chunk := list(islice(records, _CHUNK)):
        for record, row in zip(chunk, modality.encode([r.input for r in chunk]), strict=True):
            fate, cause = ("cut", modality.cut_by) if row.cut else ("used", "")
            ledger.settle(fate, cause, split=record.split, label=counted_as(record))
            ledger.measure(row.length, row.cut, modality.unit_seconds, heard_in(record))
            yield record, row


def _without_other_splits(ledger: Ledger) -> Ledger:
    """Rows of other splits are not lost: they count neither as read nor as dropped when the limit is tested."""
    kept = {entry: n for entry, n in ledger.fates.items() if entry.cause != _OTHER}
    return replace(ledger, read=sum(kept.values()), fates=type(ledger.fates)(kept))
