"""Explanations for texts and files: what speaks for each answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.data.ledger import Ledger
from zhuji.model.explain import Explained
from zhuji.model.explain import explain as explain_one
from zhuji.model.predictor import Predictor
from zhuji.tools._rows import rows_of, settings_for


@dataclass(frozen=True)
class ExplainedRow:
    """What speaks for the answers of one row: an explanation for each thing that was answered. `id` is the row's in its file; of a text its number,
    from 1 on."""

    id: str
    explained: tuple[Explained, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "explained": [one.as_dict() for one in self.explained]}


def explain(
    predictor: Predictor,
    sources: Iterable[str | Path | Iterable[str]],
    about: str | None = None,
    *,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
) -> Iterator[ExplainedRow]:
    """Explain the answer of every row of every source, in order: a path is a file of rows, anything else an iterable of texts. `about`: the
    class, or of tags the word, that is asked for in place of what was answered.

    A file's texts are explained as they were cleaned. Raises CannotExplain, UnknownName, and what reading raises."""
    for source in sources:
        for id, raw in _inputs(predictor, source, sets, columns):
            yield ExplainedRow(id, tuple(explain_one(predictor, raw, about)))


def _inputs(
    predictor: Predictor, source: str | Path | Iterable[str], sets: Sequence[str], columns: Mapping[str, Any] | None
) -> Iterator[tuple[str, Any]]:
    if isinstance(source, Path):
        records = rows_of(predictor, settings_for(predictor, source, sets, columns), Ledger())
        yield from ((record.id, record.input) for record in records)
    else:
        texts = [source] if isinstance(source, str) else source
        yield from ((str(number), text) for number, text in enumerate(texts, 1))
