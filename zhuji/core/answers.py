"""What a model says of a row, and what can be pointed at in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Timed:
    """A word and when it is said: in seconds from the beginning of the row, or, as a task tells it, in shares of the row's length."""

    word: str
    begin: float
    end: float

    def scaled(self, factor: float) -> Timed:
        return Timed(self.word, self.begin * factor, self.end * factor)

    def later(self, seconds: float) -> Timed:
        return Timed(self.word, self.begin + seconds, self.end + seconds)

    def within(self, end: float) -> Timed:
        """Cut off where what is heard ends."""
        return Timed(self.word, min(self.begin, end), min(self.end, end))


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """A sound that was answered, `sound (S,)` float32; where it is known, what was asked about, `given (S,)`, and the truth, `wanted (S,)`, both at
    `rate` samples a second."""

    sound: np.ndarray
    given: np.ndarray | None = None
    wanted: np.ndarray | None = None
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer as a person reads it. `answer`: label name, tuple of label names, number or text; `score` in [0, 1] where there is
    one; `scores` by label name; `times` of the words, where the answer is what was said; `cut`: seconds at the end of a sound that were not read. All of it
    can be written as JSON, but for `waves`: of an answer that is a sound, its samples."""

    answer: Any
    score: float | None = None
    scores: Mapping[str, float] | None = None
    times: Sequence[Timed] = ()
    cut: float = 0.0
    waves: Waves | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """An input as a person reads it: its `text`; the `parts` (begin, end) of that text, in order and apart from each other, that can be pointed
    at; and `units (N, 2)` int64: for each unit, the grid unrolled, the first part that it stands for and the one past the last. Both are
    equal where it stands for nothing that is shown, such as a mark of the text's end."""

    text: str
    parts: Sequence[tuple[int, int]]
    units: np.ndarray


@dataclass(frozen=True, slots=True)
class About:
    """What of an answer is to be explained: the class, the number or the tag called `name`; of tags, that of the words `first` to `last`,
    counted from 0; of objects, that the one of class `name` stands in `box` (left, top, right, bottom, as the answer has them), its answer being
    number `first`, counted from 0."""

    name: str
    first: int = 0
    last: int = 0
    box: tuple[float, float, float, float] | None = None
