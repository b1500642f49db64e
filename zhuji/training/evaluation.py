"""The one code path from answers to scores: validation, test, `zhuji evaluate` and Python all come through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zhuji.core.contracts import Columns, Encoded, Metric, Prediction
from zhuji.core.records import Record
from zhuji.metrics import detection
from zhuji.metrics.classification import confusion, per_class
from zhuji.metrics.intervals import Interval, bootstrap_all
from zhuji.metrics.spans import per_kind
from zhuji.metrics.weighted import row_count
from zhuji.model.predictor import Predictor


@dataclass(frozen=True)
class Scores:
    """Scores of some records. `metrics`: those of whole answers first, then the selection metric; `unseen`: rows whose label training never met (they count as
    wrong); `per_class` and `confusion` are empty where there are no classes, or many a row."""

    metrics: Mapping[str, Interval]
    loss: float
    rows: int
    unseen: int
    per_class: Sequence[Mapping[str, Any]]
    confusion: Sequence[Sequence[int]]
    columns: Columns
    ids: tuple[str, ...]
    answers: Sequence[Prediction] = ()
    """Where they were asked for."""

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """`{metric: {value, low, high}}`; what has no value is null."""
        return {name: interval.as_dict() for name, interval in self.metrics.items()}

    def value(self, metric: str) -> float:
        return self.metrics[metric].value


def score(
    predictor: Predictor,
    records: Iterable[Record],
    encoded: Iterable[Encoded] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    batch_units: int = 8192,
    answers: bool = False,
) -> Scores:
    """Scores of a model on labelled records. `encoded`: the same rows if they are encoded already; `resamples` bootstrap draws stand
    behind each 95 % interval, none if 0. With `answers`, whole answers are given and judged, too.

    Raises:
        NotFinite: the model answers with NaN or infinity.
        NotANumber: a regression's label is no number.
    """
    task = predictor.model.task
    examined = predictor.examine(records, encoded, batch_units, answers=answers)
    metrics = {**(task.answer_metrics() if answers else {}), **task.metrics()}
    scores = score_columns(
        metrics, examined.columns, examined.ids, task.classes, loss=examined.loss, resamples=resamples, seed=seed
    )
    return replace(scores, answers=examined.answers)


def score_columns(
    metrics: Mapping[str, Metric],
    columns: Columns,
    ids: tuple[str, ...] = (),
    labels: Sequence[str] = (),
    *,
    loss: float = float("nan"),
    resamples: int = 1000,
    seed: int = 0,
) -> Scores:
    """Scores of evidence; what `score` does once the model has answered, and what the baselines are scored by."""
    rows = row_count(columns, tuple(columns)) if columns else 0
    if not rows:
        return Scores({name: Interval(float("nan")) for name in metrics}, loss, 0, 0, (), (), columns, ids)
    found = bootstrap_all(metrics, columns, resamples, seed)
    label = columns.get("label")
    one_label = label is not None and label.ndim == 1
    return Scores(
        metrics=found,
        loss=loss,
        rows=rows,
        unseen=int(np.count_nonzero(label < 0)) if label is not None and one_label else 0,
        per_class=_by_class(columns, labels),
        confusion=confusion(columns, len(labels)).tolist() if one_label else (),
        columns=columns,
        ids=ids,
    )


def _by_class(columns: Columns, labels: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """By what the evidence tells: classes of rows, kinds of spans, or classes of boxes; nothing where it tells none."""
    for column, found in (("label", per_class), ("actual", per_kind), ("hits", detection.per_class)):
        if column in columns:
            return found(columns, labels)
    return ()
