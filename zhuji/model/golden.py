"""Golden rows: inputs with their answers that travel with a model and are run again after every hop."""

from __future__ import annotations

import base64
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.core.records import Medium, Picture, Record, Sound
from zhuji.core.unreadable import MediumError
from zhuji.data import sounds
from zhuji.data.cells import joined
from zhuji.data.clean import Cleaner
from zhuji.data.pictures import portable, read_bytes, size_of
from zhuji.model.predictor import Predictor

LONGEST_INPUT = 100_000
"""Characters from which an input is too long to travel; bytes from which a picture is made smaller, or a sound shorter."""
LARGEST_PICTURE = 512
"""Pixels of the longest side of a picture that travels; of a larger one a smaller copy does."""
LONGEST_SOUND = 10.0
"""Seconds of a sound that travels; of a longer one the beginning does."""
LONGEST_SOILED = 2_000
"""The same of a copy that only shows whether it is cleaned."""


def choose_golden(predictor: Predictor, records: Sequence[Record], columns: Columns, count: int = 16) -> list[dict[str, Any]]:
    """`{input, answer, score, scores}` of `count` rows: by turns one of typical length, one of the longest, one of the rarest class
    (of the most extreme target), one with the smallest margin. `columns` is the records' evidence, row by row."""
    lengths = np.array([0 if isinstance(record.input, Medium) else len(joined(record.input)) for record in records])
    fit = np.flatnonzero(lengths <= LONGEST_INPUT)
    orders = [
        np.abs(lengths - np.median(lengths[fit])) if len(fit) else lengths,
        -lengths,
        _commonness(columns),
        _margin(columns),
    ]
    chosen = _by_turns([fit[np.argsort(order[fit], kind="stable")] for order in orders], min(count, len(fit)))
    return told(predictor, [carried(records[row].input) for row in chosen])


def carried(raw: Any) -> Any:
    """An input as it travels: a picture or a sound as its bytes, made smaller or shorter where there are many."""
    if isinstance(raw, Sound):
        return sounds.portable(raw, LONGEST_INPUT, LONGEST_SOUND)
    return portable(raw, LONGEST_INPUT, LARGEST_PICTURE) if isinstance(raw, Picture) else raw


def as_json(raw: Any) -> Any:
    """An input as JSON has it: a picture as `{"picture": bytes in base64}`, a sound as `{"sound": …}`; of a sound that is a piece of its file the
    piece."""
    if isinstance(raw, Sound):
        return {"sound": _base64(sounds.read_bytes(sounds.portable(raw, sounds.MOST_BYTES, math.inf)))}
    return {"picture": _base64(read_bytes(raw))} if isinstance(raw, Picture) else raw


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_json(raw: Any) -> Any:
    """The inverse of `as_json`. Raises ValueError where it is neither a text, nor words, nor a picture, nor a sound."""
    if isinstance(raw, str) or (isinstance(raw, list) and all(isinstance(word, str) for word in raw)):
        return raw
    for name, kind in _NAMES.items():
        if isinstance(raw, dict) and set(raw) == {name} and isinstance(raw[name], str):
            return kind(data=base64.b64decode(raw[name], validate=True))
    raise ValueError("an input must be text, a list of words, a picture, or a sound")


_NAMES: Mapping[str, type[Medium]] = {"picture": Picture, "sound": Sound}


def told(predictor: Predictor, inputs: Sequence[Any]) -> list[dict[str, Any]]:
    """These inputs with the answers of now, as they travel."""
    return [
        {"input": raw, "answer": found.answer, "score": found.score, "scores": found.scores and dict(found.scores)}
        for raw, found in zip(inputs, predictor.predict(inputs), strict=True)
    ]


def small(raw: Any) -> Any:
    """The input of a golden row, unless it is a large picture or a long sound: a thousand of these, each of a few bytes, would keep whoever opens
    the bundle busy for hours. Raises ValueError."""
    if not isinstance(raw, Picture | Sound):
        return raw
    try:
        if isinstance(raw, Sound):
            fits, limit = sounds.header(raw).seconds <= LONGEST_SOUND, f"a sound may last at most {LONGEST_SOUND:g} seconds"
        else:
            fits, limit = max(size_of(raw)) <= LARGEST_PICTURE, f"a picture may have at most {LARGEST_PICTURE} pixels a side"
    except MediumError as error:
        raise ValueError(str(error)) from None
    if not fits:
        raise ValueError(limit)
    return raw


def soiled(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A copy of a golden row for each way of soiling it that cleaning undoes, with its answer. Records are clean when they are chosen, so
    without these nobody would notice that a model's inputs are no longer cleaned, or otherwise."""
    clean, found = Cleaner(predictor.clean), list[Any]()
    texts = [row["input"] for row in rows if isinstance(row["input"], str) and len(row["input"]) <= LONGEST_SOILED]
    for soil in _SOILS:
        # Of several the longest shows most.
        ways = [
            new for raw in sorted(texts, key=len, reverse=True) if (new := soil(raw)) != raw and clean(new)[0] == clean(raw)[0]
        ]
        found += ways[:1]
    return told(predictor, list(dict.fromkeys(found)))


def _mistaken(text: str) -> str:
    """UTF-8 read as if it were Latin-1."""
    return text.encode("utf-8", "replace").decode("latin-1")


_SOILS: Sequence[Callable[[str], str]] = (
    lambda text: re.sub(r"(?<=\w)(?=\w)", "\u200b", text),
    lambda text: re.sub(r"(?<=\S)(?=\s)", " \t", text),
    lambda text: unicodedata.normalize("NFD", text),
    _mistaken,
)


def _by_turns(orders: Iterable[Sequence[int] | np.ndarray], count: int) -> list[int]:
    queues, chosen = [iter(order) for order in orders], list[int]()
    while len(chosen) < count:
        for queue in queues:
            row = next((int(row) for row in queue if row not in chosen), None)
            if row is not None and len(chosen) < count:
                chosen.append(row)
    return chosen


def _commonness(columns: Columns) -> np.ndarray:
    """(N,): low for rows of rare classes or of extreme targets."""
    if "target" in columns:
        return -np.abs(columns["target"] - np.median(columns["target"]))
    counted = columns.get("actual", columns.get("objects"))
    if counted is not None:
        kinds = counted > 0
        return np.where(kinds, kinds.sum(0), np.inf).min(1, initial=np.inf)
    label = columns.get("label", np.zeros(len(next(iter(columns.values()))), np.int64))
    if label.ndim == 2:
        frequency = np.where(label.any(0), label.sum(0), np.inf)
        return np.where(label, frequency, np.inf).min(1, initial=np.inf)
    _, place, counts = np.unique(label, return_inverse=True, return_counts=True)
    return counts[place].astype(np.float64)


def _margin(columns: Columns) -> np.ndarray:
    """(N,): how far the model was from another answer."""
    if "target" in columns:
        return -np.abs(columns["target"] - columns["prediction"])
    if "probabilities" not in columns:
        return columns["correct"].sum(1) - columns["actual"].sum(1) if "actual" in columns else _commonness(columns)
    scores = columns["probabilities"]
    if columns["label"].ndim == 2 or scores.shape[1] < 2:
        return np.abs(scores - 0.5).min(1, initial=np.inf)
    best = np.sort(scores, axis=1)
    return best[:, -1] - best[:, -2]
