"""Which pictures a run can show, from what its folder holds."""

from __future__ import annotations

import numpy as np

from zhuji.core.log import in_language as say_in
from zhuji.core.records import SPLITS
from zhuji.tools.pages import pictures
from zhuji.tools.pages.drawing import Picture
from zhuji.tools.pages.found import Found, classes, holds_numbers, models
from zhuji.tools.pages.trail import loss_of, players_of


def run_pictures(found: Found, limit: int) -> dict[str, Picture]:
    """The pictures of a run's page, by name; what the run has no numbers for is left out."""
    drawn: dict[str, Picture | None] = {"scores": _scores(found), "curves": _curves(found)}
    matrix = np.array(found.results.get("confusion") or [], dtype=np.int64)
    if matrix.ndim == 2 and matrix.size:
        chosen = _most_confused(matrix, limit)
        names = [found.labels[i] for i in chosen]
        part = matrix[np.ix_(chosen, chosen)]
        drawn["confusion"] = pictures.confusion(part, names, normalised=False)
        drawn["confusion_normalised"] = pictures.confusion(part, names, normalised=True)
    by_class = classes(found)
    if by_class:
        title = say_in("F1 by class", "各类别 F1")
        drawn["per_class"] = pictures.class_bars("per-class-f1", title, {c["label"]: c["f1"] for c in by_class}, "F1")
    drawn["reliability"] = _reliability(found)
    drawn["fit"] = _fit(found)
    drawn["lengths"] = _lengths(found)
    return {name: picture for name, picture in drawn.items() if picture}


def _scores(found: Found) -> Picture | None:
    first = next(iter(found.results.get("test") or {}), None)
    if first is None:
        return None
    dots = [
        pictures.Dot(name, float(of[first]["value"] or 0), of[first].get("low"), of[first].get("high"), chosen)
        for name, of, chosen in models(found)
        if first in of and of[first].get("value") is not None
    ]
    return pictures.scores(first, dots) if dots else None


def _curves(found: Found) -> Picture | None:
    def points(kind: str, key: str) -> list[tuple[float, float]]:
        return pictures.points(found.log, kind, key)

    first = next((name for name in found.results.get("test") or {} if points("valid", name)), "")
    players = players_of(found.log)
    lines = {name: loss_of(name) for name in players} or {say_in("training", "训练"): "loss"}
    log = pictures.Curves(
        loss={name: points("train", key) for name, key in lines.items()},
        # Among several players the validation's loss is nobody's: it would look like one of theirs.
        valid_loss=[] if players else points("valid", "loss"),
        metric=first,
        valid_metric=points("valid", first),
        rate=points("train", "lr"),
        best=found.results.get("best_step"),
    )
    return pictures.curves(log) if any(log.loss.values()) or log.valid_metric else None


def _most_confused(matrix: np.ndarray, limit: int) -> np.ndarray:
    if len(matrix) <= limit:
        return np.arange(len(matrix))
    errors = matrix.sum(0) + matrix.sum(1) - 2 * np.diag(matrix)
    return np.sort(np.argsort(-errors, kind="stable")[:limit])


def _reliability(found: Found) -> Picture | None:
    rows = [row for row in found.predictions if row.get("score")]
    if not found.labels or not rows or not found.results.get("confusion"):
        return None
    confidence = np.array([float(row["score"]) for row in rows])
    correct = np.array([row["label"] == row["prediction"] for row in rows])
    known = (found.results.get("test") or {}).get("ece")
    ece = float(known["value"]) if known and known.get("value") is not None else _ece(confidence, correct)
    return pictures.reliability(confidence, correct, ece)


def _ece(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over bins of equal width (Guo et al. 2017, equation 3)."""
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    gaps = np.bincount(place, correct - confidence, bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _fit(found: Found) -> Picture | None:
    if not holds_numbers(found) or not found.predictions:
        return None
    pairs = np.array([(float(row["label"]), float(row["prediction"])) for row in found.predictions])
    return pictures.fit_line(pairs[:, 0], pairs[:, 1])


def _lengths(found: Found) -> Picture | None:
    by_split = {
        name: [row["characters"] for row in found.rows if row["split"] == name and "characters" in row] for name in SPLITS
    }
    return pictures.lengths(by_split, say_in("characters", "字符")) if any(by_split.values()) else None
