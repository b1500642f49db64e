"""Against pycocotools from one end to the other: its own data structures, matching, sorting and summary."""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np
import pytest

from zhuji.core.errors import MissingExtra
from zhuji.metrics import detection
from zhuji.metrics.intervals import bootstrap

CLASSES = 3


def coco_scores(answers, objects, width, classes=CLASSES):
    """AP, AP50, AP75 and precision (T, R, K), as a person would get them from files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def told(boxes):
        return [[a, b, c - a, d - b] for a, b, c, d in np.asarray(boxes, np.float64).reshape(-1, 4).tolist()]

    truth = COCO()
    notes = []
    for number, (boxes, kinds, _) in enumerate(objects, 1):
        for box, kind in zip(told(boxes), kinds, strict=True):
            notes.append({"id": len(notes) + 1, "image_id": number, "category_id": int(kind) + 1, "bbox": box,
                          "area": box[2] * box[3], "iscrowd": 0})  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.dataset = {
            "images": [{"id": n} for n in range(1, len(objects) + 1)], "annotations": notes,
            "categories": [{"id": k + 1, "name": str(k)} for k in range(classes)],
        }  # fmt: skip
        truth.createIndex()
        found = [
            {"image_id": number, "category_id": int(kind) + 1, "bbox": box, "score": float(score)}
            for number, (boxes, kinds, scores) in enumerate(answers, 1)
            for box, kind, score in zip(told(boxes), kinds, scores, strict=True)
        ]
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.params.maxDets = [1, 10, width]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, -1]
    mean = [float(part[part > -1].mean()) for part in (precision, precision[0], precision[5])]
    return mean, precision


def guesses(objects, chance, extra=6, noise=0.15):
    """Moved copies of the objects, some with another class, and boxes that mark nothing; scores with ties."""
    answers = []
    for boxes, kinds, _ in objects:
        size = (boxes[:, 2:] - boxes[:, :2]) if len(boxes) else np.zeros((0, 2))
        moved = boxes + chance.normal(0, noise, boxes.shape) * np.tile(size, 2)
        corner = chance.uniform(0, 0.8, (extra, 2))
        found = np.concatenate((moved, np.concatenate((corner, corner + chance.uniform(0.05, 0.4, (extra, 2))), 1)))
        found = np.concatenate((np.minimum(found[:, :2], found[:, 2:]), np.maximum(found[:, :2], found[:, 2:])), 1)
        named = np.where(chance.random(len(kinds)) < 0.1, chance.integers(0, CLASSES, len(kinds)), kinds)
        named = np.concatenate((named, chance.integers(0, CLASSES, extra))).astype(np.int64)
        answers.append((found, named, chance.integers(1, 20, len(found)) / 20))
    return answers


def pictures(counts, chance, low=0.0, high=0.8):
    found = []
    for count in counts:
        corner = chance.uniform(low, high, (count, 2))
        boxes = np.concatenate((corner, corner + chance.uniform(0.05, 0.5, (count, 2))), 1)
        found.append((boxes, chance.integers(0, CLASSES, count), np.zeros(0)))
    return found


def evidence_of(answers, objects, width=100, classes=CLASSES, threshold=0.5):
    found = detection.matched(answers, objects, width=width, classes=classes)
    return {**found, "given": found["scores"] >= threshold}


FIXTURES = {
    "usual": {"counts": [5, 3, 8, 1, 12]},
    "pictures without an object": {"counts": [4, 0, 0, 6]},
    "300 objects": {"counts": [300, 2, 0], "extra": 40},
    "boxes outside of the picture": {"counts": [6, 7, 5], "low": -0.6, "high": 1.3},
    "bad guesses": {"counts": [9, 4, 7], "noise": 0.35},
    "a picture alone": {"counts": [7]},
}


@pytest.mark.parametrize("name", FIXTURES)
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pycocotools(name, seed):
    chance = np.random.default_rng(seed)
    made = dict(FIXTURES[name])
    extra, noise = made.pop("extra", 6), made.pop("noise", 0.15)
    objects = pictures(made.pop("counts"), chance, **made)
    answers = guesses(objects, chance, extra, noise)
    width = 400
    expected, precision = coco_scores(answers, objects, width)
    evidence = evidence_of(answers, objects, width)
    found = [metric(evidence) for metric in (detection.map50_95, detection.map50, detection.map75)]
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0 < expected[1] < 1
    areas = detection.average_precisions(evidence, np.ones((1, len(objects))), range(10))[0]
    present = evidence["objects"].sum(0) > 0
    np.testing.assert_allclose(areas[present], precision.mean(1).T[present], atol=1e-6)
    assert np.isnan(areas[~present]).all()


def test_of_too_many_answers_the_surest_count():
    """A hundred a picture, as COCO counts, of a picture with 300 objects that are all found."""
    chance = np.random.default_rng(0)
    ((boxes, _, _),) = pictures([300], chance)
    kinds = np.zeros(300, np.int64)
    answers, objects = [(boxes, kinds, chance.random(300))], [(boxes, kinds, np.zeros(0))]
    expected, _ = coco_scores(answers, objects, 100)
    found = detection.map50(evidence_of(answers, objects, 100))
    assert found == pytest.approx(expected[1], abs=1e-6)
    assert 0.3 < found < 0.35


def test_a_class_that_nobody_found_counts_and_one_that_is_not_there_does_not():
    box = np.array([[0.1, 0.1, 0.4, 0.4]])
    objects = [(np.repeat(box, 2, 0), np.array([0, 1]), np.zeros(0))]
    answers = [(np.repeat(box, 2, 0), np.array([0, 2]), np.array([0.9, 0.8]))]
    evidence = evidence_of(answers, objects)
    assert detection.map50(evidence) == pytest.approx(0.5)
    rows = detection.per_class(evidence, "abc")
    assert [row["ap50"] for row in rows] == [pytest.approx(1.0), 0.0, None]
    assert [row["support"] for row in rows] == [1, 1, 0] and [row["predicted"] for row in rows] == [1, 0, 1]


def test_nothing_answered_and_nothing_there():
    none = (np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))
    box = (np.array([[0.1, 0.1, 0.4, 0.4]]), np.array([1]), np.array([0.7]))
    assert detection.map50(evidence_of([none], [box])) == 0.0
    assert np.isnan(detection.map50(evidence_of([box], [none])))
    assert detection.f1(evidence_of([none], [none])) == 0.0


def test_precision_recall_and_f1_of_what_is_given():
    """By hand: of three objects two are found, one of them twice; one answer is too unsure to be given."""
    boxes = np.array([[0, 0, 0.2, 0.2], [0.4, 0.4, 0.6, 0.6], [0.8, 0.8, 1, 1]])
    objects = [(boxes, np.zeros(3, np.int64), np.zeros(0))]
    found = np.concatenate((boxes[[0, 0, 1]], boxes[[2]]))
    evidence = evidence_of([(found, np.zeros(4, np.int64), np.array([0.9, 0.8, 0.7, 0.2]))], objects)
    assert detection.precision(evidence) == pytest.approx(2 / 3)
    assert detection.recall(evidence) == pytest.approx(2 / 3)
    assert detection.f1(evidence) == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(3))
def test_a_weight_is_so_many_copies_of_a_picture(seed):
    """What an interval is drawn from. Scores are all different: copies of a picture tie with themselves alone."""
    chance = np.random.default_rng(seed)
    objects = pictures([5, 2, 0, 7, 3], chance)
    answers = [(boxes, kinds, chance.random(len(boxes))) for boxes, kinds, _ in guesses(objects, chance)]
    weights = chance.integers(0, 4, (6, 5)).astype(np.float64)
    found = detection.map50_95.resampled(evidence_of(answers, objects), weights)
    for row, score in zip(weights, found, strict=True):
        chosen = np.repeat(np.arange(5), row.astype(int)).tolist()
        expected, _ = coco_scores([answers[i] for i in chosen], [objects[i] for i in chosen], 100)
        assert score == pytest.approx(expected[0], abs=1e-6)


def test_many_resamples_in_portions_are_the_same(monkeypatch):
    chance = np.random.default_rng(1)
    objects = pictures([4, 6], chance)
    evidence = evidence_of(guesses(objects, chance), objects)
    weights = chance.integers(0, 3, (50, 2)).astype(np.float64)
    whole = detection.map50.resampled(evidence, weights)
    monkeypatch.setattr(detection, "_CELLS", 40)
    np.testing.assert_array_equal(detection.map50.resampled(evidence, weights), whole)


def test_an_interval_holds_the_score():
    chance = np.random.default_rng(2)
    objects = pictures([4] * 20, chance)
    found = bootstrap(detection.map50, evidence_of(guesses(objects, chance), objects), 200)
    assert found.low < found.value < found.high


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingExtra, match="vision"):
        detection.require()
