"""Which parts of an input speak for an answer: from units to what a person reads. Shapes: N units, Q parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from zhuji.core.contracts import Prediction, Shown, unexplained
from zhuji.core.errors import CannotExplain, NoWeights
from zhuji.core.log import in_language
from zhuji.data.aligned import aligned
from zhuji.data.cells import joined
from zhuji.model.assembly import collate
from zhuji.model.attribution import METHOD, attributed
from zhuji.model.heat import Heat, heat
from zhuji.model.predictor import Predictor, padded


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the input, its characters `start` to `end`, and how much it speaks for what is explained; below zero: against it."""

    text: str
    start: int
    end: int
    weight: float

    def as_dict(self) -> dict[str, Any]:
        return {"text": self.text, "start": self.start, "end": self.end, "weight": self.weight}


@dataclass(frozen=True)
class Explained:
    """An answer and what speaks for it. The texts of `parts` joined are the input.

    `about`: the class, number or tag that is explained; `of`: of a tag, the words that bear it. `value`: the number that stands for it (log-odds of
    a class or tag, or the number itself), `base` what that is of an input that says nothing; `parts` and `rest`, which belongs to units that
    stand for nothing shown, add up to their difference but for `gap`, which is small where the explanation is `complete`. `cut`: units that were not read because the input is too long.
    """

    prediction: Prediction
    about: str
    of: str
    parts: tuple[Part, ...]
    rest: float
    value: float
    base: float
    gap: float
    complete: bool
    cut: int
    method: str
    steps: int

    def strongest(self, count: int) -> list[Part]:
        """The parts that say most, for or against; those that say nothing are left out."""
        heard = [part for part in self.parts if part.weight]
        return sorted(heard, key=lambda part: -abs(part.weight))[:count]

    def as_dict(self) -> dict[str, Any]:
        answer = self.prediction.answer
        return {
            "prediction": list(answer) if isinstance(answer, tuple) else answer, "score": self.prediction.score, "about": self.about,
            "of": self.of, "parts": [part.as_dict() for part in self.parts], "rest": self.rest, "value": self.value,
            "base": self.base, "gap": self.gap, "complete": self.complete, "cut": self.cut, "method": self.method, "steps": self.steps,
        }  # fmt: skip


def explain(predictor: Predictor, raw: Any, about: str | None = None) -> Iterator[Explained | Heat]:
    """What speaks for each thing that was answered about one input (a class; each of several classes; the number; the tag of each span; the surest
    object), or for the class, the word or the number of an object `about`. Of pictures as maps, of all else as parts of a text.

    Raises CannotExplain for a task that answers otherwise, NoWeights of a network in another format, UnknownName where there is no such
    class, word or object, and PictureError."""
    model = predictor.model
    if not model.task.explains:
        raise unexplained(model.task)
    if predictor.runner is not None:
        raise NoWeights(what=in_language("an explanation", "解释"))
    if model.modality.reads == "pictures":
        yield from heat(predictor, raw, about)
    else:
        yield from _told(predictor, raw, about)


def explains(predictor: Predictor) -> bool:
    """Whether what is answered can be explained: by the task, by the modality, and with weights to ask."""
    model = predictor.model
    if predictor.runner is not None or not model.task.explains:
        return False
    if model.modality.reads == "pictures":
        return True
    try:
        model.modality.shown(predictor.cleaned(predictor.golden[0]["input"] if predictor.golden else ""))
    except CannotExplain:
        return False
    return True


def _told(predictor: Predictor, raw: Any, about: str | None) -> Iterator[Explained]:
    model, clean = predictor.model, predictor.cleaned(raw)
    prediction = next(predictor.predict([raw]))
    words = predictor.words(raw)
    asked = model.task.abouts(prediction, about, words)
    shown = model.modality.shown(clean)
    (row,) = model.modality.encode([clean])
    assert len(shown.units) == row.length, "a modality shows every unit that it encodes"
    units = collate(model, [row], None, padded(row.length)).to(predictor.device).units
    text = raw if isinstance(raw, str) else shown.text
    for one in asked:
        found = attributed(model, units, one)
        weights, rest = by_part(found.weights, shown)
        of = joined(words[one.first : one.last + 1]) if words else ""
        yield Explained(
            prediction, one.name, of, tuple(_parts(shown, weights, text)), rest, found.value, found.base, found.gap,
            found.complete, row.cut, METHOD, found.points,
        )  # fmt: skip


def by_part(weights: np.ndarray, shown: Shown) -> tuple[np.ndarray, float]:
    """`(Q,)` float64: units' weights added up by part, a unit that stands for several shared equally; and what belongs to none."""
    found, rest = np.zeros(len(shown.parts)), 0.0
    for (first, past), weight in zip(shown.units.tolist(), weights[: len(shown.units)].tolist(), strict=True):
        if first < past:
            found[first:past] += weight / (past - first)
        else:
            rest += weight
    return found, rest


def _parts(shown: Shown, weights: np.ndarray, text: str) -> Iterator[Part]:
    """All of `text`, which was mended to `shown.text`, in order; what stands between parts has no weight. Parts that came from the same
    characters are one."""
    places = aligned(text, shown.text)
    merged: list[tuple[int, int, float]] = []
    for (begin, end), weight in zip(shown.parts, weights.tolist(), strict=True):
        first, past = places.span(begin, end)
        if merged and (first < merged[-1][1] or first == past):
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], past), before[2] + weight)
        else:
            merged.append((first, past, weight))
    at = 0
    for first, past, weight in merged:
        if at < first:
            yield Part(text[at:first], at, first, 0.0)
        yield Part(text[first:past], first, past, weight)
        at = past
    if at < len(text):
        yield Part(text[at:], at, len(text), 0.0)
