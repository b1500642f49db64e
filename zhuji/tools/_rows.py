"""Rows of a file for a model that was trained elsewhere, and their vectors: columns by the names that training knew, where they are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zhuji.core.config import assignments, overlay
from zhuji.core.records import Record
from zhuji.data.infer import infer_roles, named_files
from zhuji.data.ledger import Ledger
from zhuji.data.media import heard_in
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.data.sources import open_source
from zhuji.model.pooled import Vectors, embed_rows
from zhuji.model.predictor import Predictor

_CHUNK = 1024
"""Rows held at once."""


def settings_for(
    predictor: Predictor, path: Path | str, sets: Sequence[str] = (), columns: Mapping[str, Any] | None = None
) -> DataSettings:
    """The `data` settings under which the model reads this file: cleaned as in training."""
    asked = {"clean": predictor.clean.plain(), "path": str(path), **(columns or {})}
    return DataSettings.parse(overlay(asked, assignments(sets).get("data", {})), "data")


def rows_of(predictor: Predictor, settings: DataSettings, ledger: Ledger) -> Iterator[Record]:
    """Every row in order, with its label where that is sound; what cannot be read is dropped in `ledger`. Raises what reading raises."""
    source = open_source(settings)
    known = predictor.roles
    if settings.text is None and known.text and set(known.text) <= set(source.columns):
        settings = settings.model_copy(update={"text": known.text})
    settings = named_files(settings, known, source.columns)
    return read_records(settings, infer_roles(source, settings), ledger, labelled=False, source=source)


def vectors_of(
    predictor: Predictor, records: Iterable[Record], ledger: Ledger, batch_units: int | None = None
) -> Iterator[tuple[list[Record], Vectors]]:
    """Records in order with their vectors `(N, W)`, chunk by chunk; gives each its fate."""
    remaining = iter(records)
    while chunk := list(islice(remaining, _CHUNK)):
        encoded = predictor.model.modality.encode([record.input for record in chunk])
        for record, row in zip(chunk, encoded, strict=True):
            fate, cause = ("cut", predictor.model.modality.cut_by) if row.cut else ("used", "")
            ledger.settle(fate, cause, split=record.split, label=record.label)
            ledger.measure(row.length, row.cut, predictor.model.modality.unit_seconds, heard_in(record))
        yield chunk, embed_rows(predictor.model, encoded, batch_units)
