# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Pillow is typed in part only.
"""Pictures that a report shows: thumbnails of the surest mistakes on the test split, pictures with their objects from the worst answered to the best, or what a
model drew. They are kept beside the run, for its data may be gone when somebody looks."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zhuji.core.contracts import Prediction
from zhuji.core.files import atomic_folder, write_json
from zhuji.core.records import Box, Picture, Record, named
from zhuji.core.unreadable import PictureError
from zhuji.data.pictures import opened, quietly
from zhuji.metrics import detection
from zhuji.model.assembly import Model
from zhuji.model.draw import DrawSettings, drawn

if TYPE_CHECKING:
    from PIL.Image import Image

MOST, SIDE = 24, 96
"""Mistakes that are kept, and the longer side of their thumbnails in pixels."""
MOST_BOXED, BOXED_SIDE = 6, 480
"""The same of pictures with objects, which must be seen to be judged."""
MOST_KINDS, OF_EACH = 10, 4
"""Classes that a model draws for its gallery, and pictures of each; of as many in all where it knows none."""
_LOSSLESS = 64
"""Longer side up to which a thumbnail is a PNG: the marks of JPEG would be as large as what there is to see."""
INDEX = "rows.json"


@dataclass(frozen=True)
class Kept:
    """A row of the gallery. `file`: its thumbnail; None where the picture could not be read any more. `size`: width and height of the picture.
    `label` and `answer`: as the row has them, boxes in pixels of the picture. `score`: how sure the answer is, of numbers how far it is off. `counts`:
    of objects how many were found, missed, and given without being there. `drawn`: a model made it, of the class that is its label."""

    id: str
    file: str | None
    size: tuple[int, int] | None
    label: Any
    answer: Any
    score: float | None
    counts: tuple[int, int, int] | None = None
    drawn: bool = False


def write_drawn(folder: Path, model: Model) -> None:
    """Writes the folder, whole or not at all, of pictures that `model` draws with seed 0."""
    from PIL.Image import fromarray

    labels = model.task.classes[:MOST_KINDS]
    made = drawn(model, DrawSettings(count=OF_EACH * (len(labels) or MOST_KINDS), labels=labels))
    with atomic_folder(folder) as partial:
        rows = list[Kept]()
        for number, array in enumerate(made):
            image = fromarray(array[..., 0] if array.shape[-1] == 1 else array)
            size, label = image.size, labels[number % len(labels)] if labels else None
            rows.append(Kept(f"{number + 1}", _saved(image, partial, number, SIDE), size, label, None, None, drawn=True))
        # Classes came in turn: those of one class stand together.
        write_json(partial / INDEX, [asdict(row) for row in sorted(rows, key=lambda row: row.label or "")])


def write(folder: Path, records: Sequence[Record], answers: Iterable[Prediction], classes: Sequence[str]) -> None:
    """Writes the folder, whole or not at all, of rows whose inputs are pictures; none where nothing is wrong, or answers are of another kind."""
    pairs = list(zip(records, answers, strict=True))
    chosen, side = _boxed(pairs, classes), BOXED_SIDE
    if not chosen:
        chosen, side = _mistakes(pairs), SIDE
    if not chosen:
        return
    with atomic_folder(folder) as partial, quietly():
        rows = [
            Kept(
                record.id,
                *_thumbnail(record.input, partial, number, side),
                _plain(record.label),
                _plain(answer.answer),
                score,
                counts,
            )
            for number, (record, answer, score, counts) in enumerate(chosen)
        ]
        write_json(partial / INDEX, [asdict(row) for row in rows])


Pair = tuple[Record, Prediction]
Chosen = tuple[Record, Prediction, float | None, tuple[int, int, int] | None]


def _mistakes(pairs: Sequence[Pair]) -> list[Chosen]:
    """The surest first; of numbers those that are furthest off."""
    wrong = [(record, answer, far, None) for record, answer in pairs if (far := _wrong(record.label, answer)) is not None]
    return list[Chosen](sorted(wrong, key=lambda one: -one[2])[:MOST])


def _wrong(label: Any, given: Prediction) -> float | None:
    """How much a mistake counts; None where there is none, or nothing to compare."""
    answer = given.answer
    if isinstance(label, float) and isinstance(answer, float):
        return abs(label - answer) or None
    if isinstance(label, tuple) and isinstance(answer, tuple) and all(isinstance(part, str) for part in answer):
        return None if set(named(label)) == set(answer) else given.score or 0.0
    return (given.score or 0.0) if isinstance(label, str) and isinstance(answer, str) and label != answer else None


def _boxed(pairs: Sequence[Pair], classes: Sequence[str]) -> list[Chosen]:
    """From the picture with most mistakes to the one with fewest, in even steps; empty where answers are no boxes."""
    told = [(record, answer) for record, answer in pairs if _is_boxed(record.label) and _is_boxed(answer.answer)]
    if len(told) < len(pairs) or not any(record.label or answer.answer for record, answer in told):
        return []
    counts = _counts(told, classes)
    order = sorted(range(len(told)), key=lambda place: -sum(counts[place][1:]))
    steps = np.unique(np.linspace(0, len(order) - 1, min(MOST_BOXED, len(order))).round().astype(int)).tolist()
    return [(*told[order[step]], None, counts[order[step]]) for step in steps]


def _is_boxed(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(part, Box) or (isinstance(part, dict) and "box" in part) for part in value
    )


def _counts(pairs: Sequence[Pair], classes: Sequence[str]) -> list[tuple[int, int, int]]:
    """Found, missed and too many, at an IoU of 0.5. Objects of classes that training never met are not asked for."""
    truths: list[Any] = [[one for one in _objects(record) if one.label in classes] for record, _ in pairs]
    given = [_row([one["box"] for one in answer.answer], [one["label"] for one in answer.answer], classes,
                  [one["score"] for one in answer.answer]) for _, answer in pairs]  # fmt: skip
    objects = [_row([_corners(one) for one in truth], [one.label for one in truth], classes, []) for truth in truths]
    width = max((len(row[2]) for row in given), default=0)
    found = detection.matched(given, objects, width=width, classes=len(classes))
    hits = (found["hits"][:, :, 0] & (found["scores"] >= 0)).sum(1).tolist()
    sums = zip(hits, found["objects"].sum(1).tolist(), (found["scores"] >= 0).sum(1).tolist(), strict=True)
    return [(hit, asked - hit, told - hit) for hit, asked, told in sums]


def _objects(record: Record) -> list[Box]:
    return [part for part in record.label if isinstance(part, Box)] if isinstance(record.label, tuple) else []


def _row(
    corners: Sequence[Sequence[float]], names: Sequence[str], classes: Sequence[str], scores: Sequence[float]
) -> detection.Row:
    return (
        np.array(corners, float).reshape(-1, 4),
        np.array([classes.index(name) for name in names], int),
        np.array(scores, float),
    )


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _plain(value: Any) -> Any:
    """A true box as an answered one, without a score."""
    if not isinstance(value, tuple):
        return value
    return [{"label": part.label, "box": _corners(part)} if isinstance(part, Box) else part for part in value]


def _thumbnail(picture: Picture, folder: Path, number: int, side: int) -> tuple[str | None, tuple[int, int] | None]:
    """Its file, and the size of the picture."""
    try:
        found = opened(picture)
    except PictureError:
        return None, None
    return _saved(found.image, folder, number, side), found.size


def _saved(image: Image, folder: Path, number: int, side: int) -> str:
    """The name of its file, no longer than `side` pixels."""
    file = io.BytesIO()
    image.thumbnail((side, side))
    kind = "PNG" if max(image.size) <= _LOSSLESS else "JPEG"
    image.save(file, kind, **({"quality": 85} if kind == "JPEG" else {}))
    name = f"{number:02}.{'png' if kind == 'PNG' else 'jpg'}"
    (folder / name).write_bytes(file.getvalue())
    return name
