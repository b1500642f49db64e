"""Explanations for texts, pictures and files: what speaks for each answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.records import Medium, Picture
from zhuji.data.ledger import Ledger
from zhuji.data.media import KINDS
from zhuji.model.explain import Explained
from zhuji.model.explain import explain as explain_one
from zhuji.model.heat import Heat
from zhuji.model.predictor import Predictor
from zhuji.tools._copies import Copies
from zhuji.tools._rows import rows_of, settings_for


@dataclass(frozen=True)
class ExplainedRow:
    """What speaks for the answers of one row: an explanation for each thing that was answered. `id` is the row's in its file; of a text its number,
    from 1 on. `drawn`: of a picture, the copies on which they were drawn."""

    id: str
    explained: tuple[Explained | Heat, ...]
    drawn: tuple[Path, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        drawn = {"drawn": [str(path) for path in self.drawn]} if self.drawn else {}
        return {"id": self.id, "explained": [one.as_dict() for one in self.explained], **drawn}


def explain(
    predictor: Predictor,
    sources: Iterable[str | Path | Picture | Iterable[str]],
    ledger: Ledger,
    about: str | None = None,
    *,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    draw: Path | None = None,
) -> Iterator[ExplainedRow]:
    """Explain the answer of every row of every source, in order: a path is a file of rows, anything else an iterable of texts, or of names of
    pictures. `about`: the class, of tags the word, or the number of an object, that is asked for in place of what was answered. `draw`: a folder,
    new or empty, for copies of the pictures with what speaks for the answer laid over them.

    A file's texts are explained as they were cleaned; rows that cannot be read are dropped in `ledger` by cause. Raises CannotExplain, UnknownName,
    NotEmpty, BadSetting for a model that reads no pictures, and what reading raises."""
    copies = None if draw is None else Copies(draw, predictor)
    for source in sources:
        for row, (id, file, raw) in enumerate(_inputs(predictor, source, ledger, sets, columns), 1):
            ledger.settle("used", split=None, label=None)
            found = tuple(explain_one(predictor, raw, about))
            heats = [one for one in found if isinstance(one, Heat)] if copies is not None else []
            drawn = tuple(copies.add_heat(file, row, raw, one) for one in heats) if copies is not None else ()
            yield ExplainedRow(id, found, drawn)


def _inputs(
    predictor: Predictor,
    source: str | Path | Medium | Iterable[str],
    ledger: Ledger,
    sets: Sequence[str],
    columns: Mapping[str, Any] | None,
) -> Iterator[tuple[str, str, Any]]:
    """Id, file and what is explained."""
    if isinstance(source, Path):
        records = rows_of(predictor, settings_for(predictor, source, sets, columns), ledger)
        yield from ((record.id, record.file, record.input) for record in records)
        return
    kind = next((kind for kind in KINDS if kind.reads == predictor.model.modality.reads), None)
    for number, raw in enumerate([source] if isinstance(source, str | Medium) else source, 1):
        ledger.read += 1
        yield str(number), "", raw if kind is None else kind.medium.of(raw)
