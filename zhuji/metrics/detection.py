# pyright: basic
# (pycocotools has no types to be strict about)
"""Average precision of boxes as COCO computes it (Lin et al. 2014), from what pycocotools matches in each row.

A row's boxes are matched with its objects alone, so the evidence of a row has a fixed width: D answers a row, filled up with scores of -1, K
classes, T = 10 overlaps from 0.5 to 0.95. What is sorted over all rows is a function of row weights, so that an interval can be drawn from
resampled rows; at weights of one it is pycocotools' own number. Objects that are crowds or ignored are not told apart.

`scores (N, D)`, `kinds (N, D)` classes, `hits (N, D, T)` whether an answer took an object, `objects (N, K)` how many there are, `given (N, D)`
whether an answer is given to a person. R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns
from zhuji.core.errors import MissingExtra
from zhuji.metrics.weighted import Compute, Floats, WeightedMetric, mean_where, ratio

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""IoU from which a box counts as found."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""Where precision is read off."""
COLUMNS = ("scores", "kinds", "hits", "objects")
GIVEN = (*COLUMNS, "given")
_EVERYWHERE = [0.0, 1e10]
_CELLS = 4_000_000
"""Weights held at once (32 MB)."""


def require() -> None:
    """Raises MissingExtra without pycocotools."""
    _library()


def _library() -> Any:
    try:
        import pycocotools.cocoeval
    except ImportError:
        raise MissingExtra(what="detect", package="pycocotools", extra="vision") from None
    return pycocotools.cocoeval


Row = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Of one picture: boxes (n, 4) from left, top, right and bottom, classes (n,), and scores (n,), which of objects nobody reads."""


def matched(answers: Sequence[Row], objects: Sequence[Row], *, width: int, classes: int) -> dict[str, NDArray[Any]]:
    """`scores`, `kinds`, `hits` and `objects` of some rows. Of each row and class the `width` highest scores count; of all `width` must be enough
    for a row. Raises MissingExtra."""
    rows = len(answers)
    found: dict[str, NDArray[Any]] = {
        "scores": np.full((rows, width), -1.0), "kinds": np.full((rows, width), -1),
        "hits": np.zeros((rows, width, len(OVERLAPS)), bool), "objects": np.zeros((rows, classes), np.int64),
    }  # fmt: skip
    for number, (guess, truth) in enumerate(zip(answers, objects, strict=True)):
        place = 0
        for kind in range(classes):
            mine = tuple(part[guess[1] == kind] for part in guess)
            theirs = truth[0][truth[1] == kind]
            found["objects"][number, kind] = len(theirs)
            scores, hits = _match(mine[0], mine[2], theirs, width)
            assert place + len(scores) <= width, "more answers than the evidence of a row holds"
            part = slice(place, place := place + len(scores))
            found["scores"][number, part], found["kinds"][number, part] = scores, kind
            found["hits"][number, part] = hits
    return found


def _match(boxes: NDArray[Any], scores: NDArray[Any], truth: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores `(n,)`, falling, and whether each took an object, `(n, T)`, by pycocotools."""
    if not len(boxes) or not len(truth):
        order = np.argsort(-scores, kind="mergesort")[:most]
        return scores[order], np.zeros((len(order), len(OVERLAPS)), bool)
    judge = _library().COCOeval(iouType="bbox")
    judge.params.imgIds, judge.params.catIds, judge.params.maxDets = [1], [1], [most]
    judge.params.iouThrs = OVERLAPS
    judge._gts = {(1, 1): [{**_told(n, box), "iscrowd": 0, "ignore": 0} for n, box in enumerate(truth, 1)]}
    judge._dts = {
        (1, 1): [{**_told(n, box), "score": s} for n, (box, s) in enumerate(zip(boxes, scores.tolist(), strict=True), 1)]
    }
    judge.ious = {(1, 1): judge.computeIoU(1, 1)}
    said = judge.evaluateImg(1, 1, _EVERYWHERE, most)
    return np.array(said["dtScores"]), said["dtMatches"].T > 0


def _told(number: int, box: NDArray[Any]) -> dict[str, Any]:
    left, top, right, bottom = box.astype(np.float64).tolist()
    width, height = max(right - left, 0.0), max(bottom - top, 0.0)
    return {"id": number, "bbox": [left, top, width, height], "area": width * height}


# ------------------------------------------------------------------------------------------------- over all rows


def average_precisions(evidence: Columns, weights: Floats, overlaps: Sequence[int]) -> Floats:
    """`(R, K, len(overlaps))`: mean precision at 101 recalls, each the highest at that recall or beyond, of each class at some of `OVERLAPS`, by
    number; NaN of a class without objects."""
    total = weights @ evidence["objects"].astype(np.float64)
    found = np.full((*total.shape, len(overlaps)), np.nan)
    scores, kinds = evidence["scores"], evidence["kinds"]
    for kind in range(total.shape[1]):
        row, place = np.nonzero((kinds == kind) & (scores >= 0))
        order = np.argsort(-scores[row, place], kind="mergesort")
        row, place = row[order], place[order]
        step = max(1, _CELLS // max(1, len(row)))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            counts = weights[part][:, row]
            for n, overlap in enumerate(overlaps):
                hits = evidence["hits"][row, place, overlap]
                found[part, kind, n] = _area(counts, hits, total[part, kind])
    return found


def _area(counts: Floats, hits: NDArray[np.bool_], total: Floats) -> Floats:
    """`(R,)` from `counts (R, n)`, how often each answer stands there, from the surest down."""
    right = np.cumsum(counts * hits, axis=1)
    recall = ratio(right, total[:, None])
    # The sum of right and wrong, as pycocotools divides.
    precision = right / (np.cumsum(counts * ~hits, axis=1) + right + np.spacing(1))
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate((highest, np.zeros((len(counts), 1))), 1)
    places = np.array([np.searchsorted(each, RECALLS, side="left") for each in recall], np.int64).reshape(len(counts), -1)
    area = np.take_along_axis(padded, places, 1).mean(1)
    return np.where(total > 0, area, np.nan)


def _mean(overlaps: Sequence[int]) -> Compute:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        found = average_precisions(evidence, weights, overlaps).reshape(len(weights), -1)
        return mean_where(found, ~np.isnan(found))

    return compute


def _counts(evidence: Columns, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Objects that were found at IoU 0.5, answers that were given, and objects, each `(R, K)`."""
    objects = evidence["objects"].astype(np.float64)
    given, hits = evidence["given"] & (evidence["scores"] >= 0), evidence["hits"][..., 0]
    kinds = range(objects.shape[1])
    right, said = (
        np.stack([(part & (evidence["kinds"] == kind)).sum(1) for kind in kinds], 1).astype(np.float64)
        for part in (given & hits, given)
    )
    return weights @ right, weights @ said, weights @ objects


def _share(above: Callable[..., Floats], below: Callable[..., Floats]) -> Compute:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        counts = [part.sum(1) for part in _counts(evidence, weights)]
        return ratio(above(*counts), below(*counts), 0.0)

    return compute


map50 = WeightedMetric(COLUMNS, True, _mean([0]))
"""Mean over the classes of the average precision at IoU 0.5."""
map75 = WeightedMetric(COLUMNS, True, _mean([5]))
map50_95 = WeightedMetric(COLUMNS, True, _mean(range(10)))
"""The mean over ten overlaps as well: COCO's own score."""
f1 = WeightedMetric(GIVEN, True, _share(lambda right, said, real: 2 * right, lambda right, said, real: said + real))
"""Of the answers that are given, at IoU 0.5."""
precision = WeightedMetric(GIVEN, True, _share(lambda right, said, real: right, lambda right, said, real: said))
recall = WeightedMetric(GIVEN, True, _share(lambda right, said, real: right, lambda right, said, real: real))


def per_class(evidence: Columns, labels: Sequence[str]) -> list[dict[str, Any]]:
    """For every class `{label, precision, recall, f1, support, predicted, ap50, ap50_95}`, in the order of `labels`; null without objects."""
    ones = np.ones((1, len(evidence["scores"])))
    areas = average_precisions(evidence, ones, range(len(OVERLAPS)))[0]
    right, said, real = (part[0] for part in _counts(evidence, ones))
    shares = [ratio(right, said, 0.0), ratio(right, real, 0.0), ratio(2 * right, said + real, 0.0)]
    return [
        {
            "label": label, "precision": float(shares[0][i]), "recall": float(shares[1][i]), "f1": float(shares[2][i]),
            "support": int(real[i]), "predicted": int(said[i]),
            "ap50": float(areas[i, 0]) if real[i] else None, "ap50_95": float(areas[i].mean()) if real[i] else None,
        }
        for i, label in enumerate(labels)
    ]  # fmt: skip
