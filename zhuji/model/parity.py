"""The gate: golden rows go through a model from raw input to final answer after every hop, and must come out as the trained model answered
them. A hop is whatever a model goes through on its way to who uses it: saved and opened again, adapters merged, written in another format,
quantised, served.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core.contracts import Prediction
from zhuji.core.errors import AnswersDiffer, RunExists, shown
from zhuji.core.files import PARTIAL, read_json, write_json
from zhuji.core.log import in_language
from zhuji.model.bundle import PARITY as FILE
from zhuji.model.predictor import Predictor

REFUSED = "refused.json"
"""In a folder that a hop made and the gate refused: why."""
_OTHER_NUMBER = 1e-3
"""Share of its scale from which a number counts as another answer."""
_SAME_OBJECT = 0.5
"""IoU from which two boxes mark the same object."""
_TOLD = 5
"""Rows that are told of a hop that failed."""

Answering = Callable[[Sequence[Any]], Iterable[Prediction]]
"""Whatever answers raw inputs, one by one and in order."""


EXACT = 1e-4
"""Largest difference of a score that a hop may make which computes the same numbers in another order. Other kernels differ by 4e-7 of a state
at worst (`tests/contracts`), which head and softmax carry on at about that size; so there is room for deep networks, and any wrong weight,
label or tokenizer is far beyond."""
QUANTISED = 0.05
"""The same of hops that compute with coarser numbers, where nothing else is asked for."""


@dataclass(frozen=True)
class Difference:
    """One golden row: `flip`: the answer is another one; `gap`: largest difference of a score, of a number relative to the numbers' scale;
    `margin`: how far apart the trained model's scores for both answers are."""

    row: int
    expected: Any
    got: Any
    flip: bool
    gap: float
    margin: float = 0.0

    def exceeds(self, limit: float) -> bool:
        """A score moved further, or the answer flipped where the trained model preferred its own by more than that: what lies closer together
        is a tie. NaN exceeds every limit."""
        return not self.gap <= limit or (self.flip and not self.margin <= limit)

    def as_dict(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "expected": self.expected,
            "got": _plain(self.got),
            "flip": self.flip,
            "gap": _finite(self.gap),
        }


@dataclass(frozen=True)
class Hop:
    """What a hop did to the golden rows. `why` tells of one that failed what went wrong first; `failing`: the rows beyond the limit."""

    name: str
    rows: int
    flips: int
    gap: float
    limit: float
    passed: bool
    why: str = ""
    failing: Sequence[Difference] = field(default=(), repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        names = ("name", "rows", "flips", "limit", "passed", "why")
        return {**{name: getattr(self, name) for name in names}, "gap": _finite(self.gap)}

    def require(self, file: Path | str, advice: str = "") -> None:
        """Raises AnswersDiffer unless it passed. `advice`: what to do about it; by default what helps who opens a model."""
        if self.passed:
            return
        opened = in_language(
            "copy it again from where it was made; if it is what was made there, do not use it",
            "请从来源重新复制；若来源处即如此，请勿使用",
        )
        row = self.failing[0].row if self.failing else None
        raise AnswersDiffer(file=file, row=row, hop=self.name, why=self.why, advice=advice or opened)


@dataclass(frozen=True)
class Parity:
    """The hops that a model went through, in order."""

    hops: tuple[Hop, ...] = ()

    def plus(self, *hops: Hop) -> Parity:
        """With further hops; one of the same name is that which was done again."""
        again = {hop.name for hop in hops}
        return Parity((*(hop for hop in self.hops if hop.name not in again), *hops))

    def as_dict(self) -> dict[str, Any]:
        return {"hops": [hop.as_dict() for hop in self.hops]}

    def write(self, folder: Path) -> None:
        write_json(folder / FILE, self.as_dict())

    @classmethod
    def read(cls, folder: Path) -> Parity:
        """Of a folder that we wrote ourselves; without hops where it has no such file."""
        path = folder / FILE
        if not path.is_file():
            return cls()
        known = [dict(hop) for hop in read_json(path)["hops"]]
        return cls(tuple(Hop(**{**hop, "gap": math.inf if hop["gap"] is None else hop["gap"]}) for hop in known))


def hop(name: str, golden: Sequence[Mapping[str, Any]], answering: Answering, limit: float = EXACT) -> Hop:
    """Have the golden rows answered and compare. Whatever `answering` raises goes through; answers that are missing fail."""
    return compared(name, golden, list(answering([row["input"] for row in golden])), limit)


def reopened(predictor: Predictor, name: str = "reload") -> Hop:
    """The golden rows that a predictor brought along, answered by itself."""
    return hop(name, predictor.golden, predictor.predict)


def compared(name: str, golden: Sequence[Mapping[str, Any]], answers: Sequence[Prediction], limit: float = EXACT) -> Hop:
    """Golden rows beside the answers of now."""
    found = differences(golden, answers, limit)
    failing = sorted((each for each in found if each.exceeds(limit)), key=lambda each: (not each.flip, -_known(each.gap)))
    flips, gap = sum(each.flip for each in found), max((_known(each.gap) for each in found), default=0.0)
    passed = not failing and len(answers) == len(golden)
    return Hop(name, len(golden), flips, gap, limit, passed, "" if passed else _why(failing, flips, gap, limit), failing)


def _why(failing: Sequence[Difference], flips: int, gap: float, limit: float) -> str:
    if not failing:
        return in_language("some rows were not answered", "有的行没有得到回答")
    worst = failing[0]
    told = in_language("answers that flip: {}, largest gap {:.2g}, allowed {:g}", "改变的回答：{}，最大差距 {:.2g}，允许 {:g}")
    if not worst.flip:
        return told.format(flips, gap, limit)
    pair = in_language("expected {}, got {}", "应为 {}，实际为 {}").format(shown(worst.expected, 40), shown(worst.got, 40))
    return f"{pair}; {told.format(flips, gap, limit)}"


def differences(golden: Sequence[Mapping[str, Any]], answers: Sequence[Prediction], limit: float = EXACT) -> list[Difference]:
    """Row by row, as many as there are answers. A number is another answer where it moved further than the limit and 0.1 % of its scale."""
    scale, other = _scale([row["answer"] for row in golden]), max(limit, _OTHER_NUMBER)
    given = [
        box["score"] for answer in (*(r["answer"] for r in golden), *(a.answer for a in answers)) for box in _boxes(answer)
    ]
    pairs = zip(golden, answers, strict=False)
    return [
        _boxes_differ(number, row, now, min(given))
        if _boxes(row["answer"]) or _boxes(now.answer)
        else _difference(number, row, now, (scale, other))
        for number, (row, now) in enumerate(pairs, 1)
    ]


def _difference(number: int, then: Mapping[str, Any], now: Prediction, numeric: tuple[float, float]) -> Difference:
    # JSON knows lists only.
    before, answer = (list(each) if isinstance(each, tuple) else each for each in (then["answer"], now.answer))
    earlier, numbers = _numbers(before), _numbers(answer)
    if earlier is not None:
        if numbers is None or len(earlier) != len(numbers):
            return Difference(number, before, answer, True, math.inf, math.inf)
        scale, other = numeric
        gap = float(np.abs(numbers - earlier).max(initial=0.0)) / scale
        return Difference(number, before, answer, not gap <= other, gap, gap)
    old, new = then["scores"] or {}, now.scores or {}
    if not old and not new and then["score"] is not None and now.score is not None:
        old, new = {"": then["score"]}, {"": now.score}
    gap = max((_known(abs(old.get(name, 0.0) - new.get(name, 0.0))) for name in {*old, *new}), default=0.0)
    if answer == before:
        return Difference(number, before, answer, False, gap)
    return Difference(number, before, answer, True, gap, _margin(before, answer, then["scores"] or {}, gap))


def _boxes(answer: Any) -> Sequence[Mapping[str, Any]]:
    """The objects that an answer found in a picture; none of an answer of another kind."""
    return (
        answer if isinstance(answer, list | tuple) and all(isinstance(each, dict) and "box" in each for each in answer) else ()
    )


def _boxes_differ(number: int, then: Mapping[str, Any], now: Prediction, least: float) -> Difference:
    """Boxes of one class that overlap by more than half are the same object, whose gap is that of its score or the share of the area that one box
    has and the other has not. An object that one answer alone holds is another answer; it was preferred by as much as its score is above
    `least`, the lowest that is given at all."""
    before, answer = list(_boxes(then["answer"])), list(_boxes(now.answer))
    old, new, left = then["scores"] or {}, now.scores or {}, list(answer)
    gap = max((_known(abs(old.get(name, 0.0) - new.get(name, 0.0))) for name in {*old, *new}), default=0.0)
    lost: list[Mapping[str, Any]] = []
    for one in sorted(before, key=lambda each: -each["score"]):
        alike = [(_overlap(one["box"], other["box"]), n) for n, other in enumerate(left) if other["label"] == one["label"]]
        share, place = max(alike, default=(0.0, -1))
        if not share > _SAME_OBJECT:
            lost.append(one)
            continue
        gap = max(gap, _known(1 - share), _known(abs(one["score"] - left.pop(place)["score"])))
    alone = [*lost, *left]
    margin = max((_known(each["score"] - least) for each in alone), default=0.0)
    return Difference(number, before, answer, bool(alone), gap, margin)


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """IoU; NaN of boxes that are none."""
    sides = [min(one[k + 2], other[k + 2]) - max(one[k], other[k]) for k in (0, 1)]
    common = max(sides[0], 0.0) * max(sides[1], 0.0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - common
    return common / union if union else math.nan


def _margin(before: Any, answer: Any, scores: Mapping[str, float], gap: float) -> float:
    """How much the trained model preferred its answer; unknown, and so infinite, where it has no scores for both."""
    if isinstance(before, str) and isinstance(answer, str) and {before, answer} <= {*scores}:
        return abs(scores[before] - scores[answer])
    if isinstance(before, list) and isinstance(answer, list):
        # With many labels each is given from a threshold on: what crossed it was no further away than it moved.
        changed = [each for each in (*before, *answer) if each not in before or each not in answer]
        return gap if all(isinstance(each, str) and each in scores for each in changed) else math.inf
    return math.inf


def _scale(answers: Sequence[Any]) -> float:
    """What differences of numbers are measured by: of single numbers how far they are spread, at least a hundredth of their size; of vectors
    their largest number."""
    known = [numbers for answer in answers if (numbers := _numbers(answer)) is not None]
    if not known:
        return 1.0
    every = np.concatenate(known)
    largest = float(np.abs(every).max(initial=0.0))
    spread = max(float(np.ptp(every)), largest / 100) if all(len(numbers) == 1 for numbers in known) else largest
    return spread or 1.0


def _numbers(answer: Any) -> np.ndarray | None:
    """A number or an embedding as an array; None of an answer of another kind."""
    parts = answer if isinstance(answer, list) else [answer]
    return np.array(parts, np.float64) if parts and all(type(part) in (int, float) for part in parts) else None


def _known(gap: float) -> float:
    return math.inf if math.isnan(gap) else gap


def _finite(gap: float) -> float | None:
    """JSON has no infinity."""
    return gap if math.isfinite(gap) else None


def _plain(answer: Any) -> Any:
    numbers = _numbers(answer)
    return answer if numbers is None or np.isfinite(numbers).all() else str(answer)


# ---------------------------------------------------------------------------------------------------------- admission


def admit(folder: Path, write: Callable[[Path], object], measure: Callable[[Path], Sequence[Hop]], advice: str = "") -> Parity:
    """Let `write` make a folder, `measure` the hops that it went through, and only then put it at `folder`, which must not exist yet. What
    fails is kept aside as `NAME.refused`, with the reason in refused.json, and nothing appears under its name.

    Raises AnswersDiffer, and RunExists where something else lies aside."""
    scratch = folder.with_name(f"{PARTIAL}{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        write(scratch)
        hops = measure(scratch)
        for each in hops:
            if not each.passed:
                each.require(_refused(scratch, folder, each), advice)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Parity(tuple(hops))


def _refused(scratch: Path, folder: Path, found: Hop) -> Path:
    aside = folder.with_name(f"{folder.name}.refused")
    if aside.exists():
        if not (aside / REFUSED).is_file():
            raise RunExists(file=aside)
        shutil.rmtree(aside)
    rows = [each.as_dict() for each in found.failing[:_TOLD]]
    write_json(scratch / REFUSED, {**found.as_dict(), "reason": found.why, "differing": rows})
    scratch.rename(aside)
    return aside
