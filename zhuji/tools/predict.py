"""Answers for texts, files and streams: rows come in, are answered and go out while the next are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import tee
from pathlib import Path
from typing import Any

from zhuji.core.config import assignments, overlay
from zhuji.core.contracts import Prediction
from zhuji.core.errors import MissingColumn, NoRole
from zhuji.core.records import Medium, Picture
from zhuji.core.unreadable import MediumError
from zhuji.data.ahead import ahead
from zhuji.data.cells import cell_text, joined, words
from zhuji.data.clean import Cleaner
from zhuji.data.infer import infer_roles
from zhuji.data.ledger import Ledger
from zhuji.data.media import KINDS, Kind, kind_of, seconds_of
from zhuji.data.pictures import opened, quietly
from zhuji.data.read import folder_of
from zhuji.data.settings import DataSettings
from zhuji.data.sources import Source, open_source
from zhuji.data.tags import spans
from zhuji.model.predictor import Predictor
from zhuji.model.streaming import hears_whole
from zhuji.tools._copies import Copies
from zhuji.tools._seeking import sought

Values = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """A row as it came (`values`, by column) and its answer. `row` is 1-based in `file`; `file` is empty for texts. `words`: of a row that
    was tagged, what the tags of the answer stand for; `picture`: what was answered, of a model that reads pictures; `drawn`: the copy of it on
    which the answer was drawn."""

    file: str
    row: int
    values: Mapping[str, Any]
    prediction: Prediction
    words: tuple[str, ...] = ()
    picture: Picture | None = None
    drawn: Path | None = None

    @property
    def spans(self) -> list[tuple[str, str]]:
        """What was marked in a row that was tagged: its kind and its words as a text."""
        return [(kind, joined(self.words[first : last + 1])) for kind, first, last in spans(self.prediction.answer)]

    def as_dict(self) -> dict[str, Any]:
        """The columns that came in, `prediction`, `score`, and `scores` by class where there are any; of a text that was tagged, `words`
        too."""
        answer = self.prediction.answer
        taken = dict(self.values)
        given = {"prediction": list(answer) if isinstance(answer, tuple) else answer, "score": self.prediction.score}
        if self.words and not any(isinstance(value, list) for value in taken.values()):
            given = {"words": list(self.words), **given}
        if self.prediction.scores is not None:
            given["scores"] = dict(self.prediction.scores)
        if self.prediction.times:
            given["times"] = [asdict(one) for one in self.prediction.times]
        if self.drawn is not None:
            given["drawn"] = str(self.drawn)
        return {**taken, **{free_name(name, taken): value for name, value in given.items()}}


def free_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or `name_2` and so on where a column of the input is called so."""
    taken, number, free = set(taken), 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def predict(
    predictor: Predictor,
    sources: Iterable[str | Path | Iterable[str]],
    ledger: Ledger,
    *,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    draw: Path | None = None,
) -> Iterator[Answered]:
    """Answer every row of every source, in order: a path is a file of rows, anything else an iterable of texts. `draw`: a folder, new or
    empty, for copies of the pictures with their answers drawn on them.

    Holds a few thousand rows at once, however long the source. Rows without an answer are dropped in `ledger` by cause; afterwards
    read = used + dropped. Raises what reading raises, and BadSetting for a folder that is not empty or a model whose answers cannot be drawn.
    """
    predictor = sought(predictor, sets)
    copies = None if draw is None else Copies(draw, predictor)
    asked = assignments(sets)
    given = asked.get("train", {}).get("batch_units")
    units = None if given is None else int(given)
    base = overlay({"clean": predictor.clean.plain(), **(columns or {})}, asked.get("data", {}))
    cleaner = Cleaner(predictor.clean)
    found = _rows(predictor, sources, base)
    files = _kind(predictor)
    rows = _shown(found, ledger, predictor) if files else _sound(found, cleaner, ledger)
    first, second = tee(rows)
    answers = predictor.predict((text for _, _, _, text in first), units)
    for (file, number, values, text), answer in zip(second, answers, strict=True):
        ledger.settle("used", split=None, label=None)
        picture = text if isinstance(text, Picture) else None
        row = Answered(file, number, written(values), answer, predictor.words(text), picture)
        yield row if copies is None or picture is None else replace(row, drawn=copies.add(file, number, picture, answer))


Raw = tuple[str, int, Values | None, Any]
"""File, row number, values (None when broken), and the text (or its words, or the picture) or the cause."""


def _rows(predictor: Predictor, sources: Iterable[str | Path | Iterable[str]], base: Mapping[str, Any]) -> Iterator[Raw]:
    for source in sources:
        if isinstance(source, Path):
            yield from file_rows(predictor, source, base)
        else:
            texts = [source] if isinstance(source, str) else source
            if kind := _kind(predictor):
                yield from (("", number, {"file": name}, kind.medium(name)) for number, name in enumerate(texts, 1))
                continue
            yield from (("", number, {"text": text}, text) for number, text in enumerate(texts, 1))


def file_rows(predictor: Predictor, path: Path, base: Mapping[str, Any]) -> Iterator[Raw]:
    """The rows of a file, in order. `base`: settings of the `data` section. Raises what reading raises."""
    settings = DataSettings.parse({**base, "path": str(path)}, "data")
    source = open_source(settings)
    if kind := _kind(predictor):
        yield from _rows_of_files(predictor, source, settings, kind)
        return
    tagged = predictor.model.task.needs == "tags"
    names = _text_columns(predictor, source.columns, settings) or infer_roles(source, settings).text
    for row in source:
        if row.values is None:
            yield row.file, row.number, None, row.problem
            continue
        try:
            cells = [row.values.get(name) for name in names]
            if tagged and isinstance(cells[0], list):
                yield row.file, row.number, row.values, words(cells[0])
                continue
            text = "\n".join(filter(None, map(cell_text, cells)))
        except UnicodeDecodeError:
            yield row.file, row.number, None, "undecodable bytes"
            continue
        yield row.file, row.number, row.values, text


def _kind(predictor: Predictor) -> Kind | None:
    """What the model reads that are files of their own; None where it reads texts."""
    return next((kind for kind in KINDS if kind.reads == predictor.model.modality.reads), None)


def _rows_of_files(predictor: Predictor, source: Source, settings: DataSettings, kind: Kind) -> Iterator[Raw]:
    """Raises NoRole where no column holds any."""
    known = predictor.roles.column_of(kind)
    given = getattr(settings, kind.role)
    name = given or (known if known in source.columns else infer_roles(source, settings).column_of(kind))
    if name is None:
        raise NoRole(file=settings.path, role=kind.role, columns=", ".join(source.columns))
    for part in source.parts:
        for row in source.rows(part):
            medium = None if row.values is None else kind.of(row.values, name, folder_of(part))
            problem = row.problem or ("" if medium else f"no {kind.one}")
            yield row.file, row.number, None if problem else row.values, problem or medium


def _shown(rows: Iterable[Raw], ledger: Ledger, predictor: Predictor) -> Iterator[tuple[str, int, Values, Medium]]:
    """The rows whose pictures or sounds can be decoded; that a sound is longer than what is read of it is told."""

    def seen(row: Raw) -> tuple[str, tuple[str, ...]]:
        """The cause why not, and what was done to it."""
        if row[2] is None:
            return str(row[3]), ()
        try:
            if isinstance(row[3], Picture):
                return "", opened(row[3]).changes
            medium, changes = kind_of(row[3]).look(row[3])
        except MediumError as error:
            return error.cause, ()
        cut = () if hears_whole(predictor, seconds_of(medium)) else (predictor.model.modality.cut_by,)
        return "", (*changes, *cut)

    with quietly():
        for (file, number, values, picture), (problem, changes) in ahead(rows, seen):
            ledger.read += 1
            ledger.changes.update(changes)
            if problem or values is None:
                ledger.drop(problem)
            else:
                yield file, number, values, picture


def written(values: Mapping[str, Any]) -> Values:
    """Cells that can be written down: a picture or a sound by its file, and not at all where its bytes are all there is; boxes as numbers by name."""
    plain = {name: _plain(value) for name, value in values.items() if not isinstance(value, bytes)}
    return {name: value for name, value in plain.items() if value != "" or values[name] == ""}


def _plain(value: Any) -> Any:
    if isinstance(value, Medium):
        return value.path
    return [asdict(part) for part in value] if isinstance(value, tuple) else value


def _text_columns(predictor: Predictor, columns: Sequence[str], settings: DataSettings) -> tuple[str, ...]:
    """The columns asked for, or those of training if they are there, or the only one there is; else nothing is known."""
    if settings.text:
        for name in settings.text:
            if name not in columns:
                raise MissingColumn(file=settings.path, role="text", name=name, columns=", ".join(columns))
        return settings.text
    known = predictor.roles.text
    if set(known) <= set(columns):
        return known
    return tuple(columns) if len(columns) == 1 else ()


def _sound(rows: Iterable[Raw], cleaner: Cleaner, ledger: Ledger) -> Iterator[tuple[str, int, Values, str | tuple[str, ...]]]:
    for file, number, values, text in rows:
        ledger.read += 1
        if values is None:
            ledger.drop(joined(text))
        elif not cleaner(joined(text))[0].strip():
            ledger.drop("empty text")
        else:
            yield file, number, values, text
