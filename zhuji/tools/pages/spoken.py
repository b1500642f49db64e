"""What spoke for the answers that a report shows: its rows with their words by weight, where that costs little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.tools.pages.found import Found

if TYPE_CHECKING:
    from zhuji.model.explain import Explained
    from zhuji.model.predictor import Predictor

OPERATIONS = 3e11
"""Floating-point operations that a report may spend on explaining its rows: a few seconds on one core."""
STRENGTHS = 4
"""Tints of a word, from its share of the strongest word's weight."""
NAMED = 4
"""Words named below a row, so that nobody needs to tell tints apart."""
_NOTHING: Mapping[str, Any] = {"words": (), "named": ()}


@dataclass(frozen=True)
class Tinted:
    """A piece of text and its tint: 1 to `STRENGTHS` for the answer, below zero against it, 0 neither."""

    text: str
    tint: int


def spoken(found: Found, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with its text as `words`, and the strongest of these with their weights as `named`; both empty where it is not
    explained. Of several classes in one answer none speaks for all."""
    predictor = _affordable(found.folder / "bundle", rows)
    return [{**row, **(_NOTHING if predictor is None else _explained(predictor, row))} for row in rows]


def _affordable(bundle: Path, rows: Sequence[Mapping[str, Any]]) -> Predictor | None:
    """The run's model, where it can be explained and is small enough."""
    if not rows or not bundle.is_dir():
        return None
    from zhuji.model.attribution import FEWEST
    from zhuji.model.bundle import open_bundle

    predictor = open_bundle(bundle)
    task, modality = predictor.model.task, predictor.model.modality
    if not task.explains or task.needs == "tags" or modality.reads != "texts":
        return None
    units = sum(row.length for row in modality.encode([row["input"] for row in rows]))
    # Two operations a number of the network forwards, twice as many backwards.
    counts = predictor.model.parameter_counts()
    return predictor if 6.0 * counts["body"] * units * FEWEST <= OPERATIONS else None


def _explained(predictor: Predictor, row: Mapping[str, Any]) -> Mapping[str, Any]:
    from zhuji.model.explain import Explained, explain

    one = next(explain(predictor, row["input"]))
    if not isinstance(one, Explained) or isinstance(one.prediction.answer, tuple):
        return _NOTHING
    return {"words": tinted(one), "named": [(part.text, part.weight) for part in one.strongest(NAMED)]}


def tinted(one: Explained) -> list[Tinted]:
    """The whole text, piece by piece."""
    top = max((abs(part.weight) for part in one.parts), default=0.0) or 1.0
    return [Tinted(part.text, round(STRENGTHS * part.weight / top)) for part in one.parts]
