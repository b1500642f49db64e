import json
import math
from types import MappingProxyType

import numpy as np
import pytest
import torch

from zhuji.core.contracts import Backbone, Modality, Prediction
from zhuji.core.errors import AnswersDiffer, RunExists
from zhuji.core.lookup import find
from zhuji.core.records import Record
from zhuji.model.assembly import assemble
from zhuji.model.parity import EXACT, QUANTISED, Parity, admit, compared, differences, hop, reopened
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress

TEXTS = [" ".join(["word"] * (1 + i % 7)) + f" {i}" for i in range(20)]


def row(answer, score=None, scores=None):
    return {"input": "x", "answer": answer, "score": score, "scores": scores}


def one(before, now, limit=EXACT):
    found = compared("hop", [before], [now], limit)
    return found.flips, found.gap, found.passed


def predictor_of(task):
    modality = find(Modality, "text")().fit(TEXTS)
    predictor = Predictor(assemble(modality, find(Backbone, "bag").example(), task))
    answers = predictor.predict(TEXTS)
    predictor.golden = [
        {"input": t, "answer": a.answer, "score": a.score, "scores": a.scores} for t, a in zip(TEXTS, answers, strict=True)
    ]
    return predictor


def classifier():
    return predictor_of(Classify().fit([Record(str(i), "", label="abc"[i % 3]) for i in range(9)]))


def test_a_model_passes_its_own_golden_rows_and_another_does_not():
    predictor = classifier()
    assert reopened(predictor).as_dict() == {
        "name": "reload", "rows": 20, "flips": 0, "gap": 0.0, "limit": EXACT, "passed": True, "why": "",
    }  # fmt: skip
    with torch.no_grad():
        predictor.model.head.out.weight.neg_()
        predictor.model.head.out.bias.neg_()
    found = reopened(predictor)
    assert not found.passed and found.flips > 0 and found.gap > 1e-3
    with pytest.raises(AnswersDiffer, match=rf"here, row {found.failing[0].row}: after the hop 'reload'"):
        found.require("here")


def test_a_gap_without_a_flip_fails_beyond_the_limit_only():
    before = row("a", 0.7, {"a": 0.7, "b": 0.3})
    near, far = (Prediction("a", p, {"a": p, "b": 1 - p}) for p in (0.7 + 0.9e-4, 0.7 + 1.1e-4))
    assert one(before, near) == (0, pytest.approx(0.9e-4), True)
    assert one(before, far) == (0, pytest.approx(1.1e-4), False)
    assert one(before, far, QUANTISED)[2]


def test_a_flip_is_told_and_fails_unless_it_is_a_tie():
    clear = row("a", 0.53, {"a": 0.53, "b": 0.47})
    tie = row("a", 0.51, {"a": 0.51, "b": 0.49})
    now = Prediction("b", 0.505, {"a": 0.495, "b": 0.505})
    assert one(clear, now, QUANTISED) == (1, pytest.approx(0.035), False)
    assert one(tie, now, QUANTISED) == (1, pytest.approx(0.015), True)
    assert one(tie, now) == (1, pytest.approx(0.015), False)


def test_of_many_labels_one_may_cross_its_threshold_by_what_scores_may_move():
    before = row(["a", "b"], 0.5, {"a": 0.9, "b": 0.51})
    assert one(before, Prediction(("a",), 0.9, {"a": 0.9, "b": 0.49}), QUANTISED) == (1, pytest.approx(0.02), True)
    assert one(before, Prediction(("a",), 0.9, {"a": 0.9, "b": 0.41}), QUANTISED) == (1, pytest.approx(0.1), False)


def test_answers_without_scores_must_be_the_same():
    assert one(row(("O", "B-x"), 0.9), Prediction(("O", "B-x"), 0.9)) == (0, 0, True), "before they travel, answers are tuples"
    before = row(["O", "B-x"], 0.9)
    assert one(before, Prediction(("O", "B-x"), 0.9)) == (0, 0, True)
    assert one(before, Prediction(("O", "O"), 0.9), QUANTISED) == (1, 0, False)
    assert one(before, Prediction(("O", "B-x"), 0.8), QUANTISED) == (0, pytest.approx(0.1), False)
    assert one(row("text", 0.9), Prediction("text")) == (0, 0, True)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_fails_and_is_written_as_json(broken):
    for before, now in (
        (row("a", 0.7, {"a": 0.7, "b": 0.3}), Prediction("a", broken, {"a": broken, "b": 0.3})),
        (row(5.0), Prediction(broken)), (row([0.1, 0.2]), Prediction([0.1, broken])),
    ):  # fmt: skip
        found = compared("hop", [before], [now], 1e9)
        assert not found.passed and found.gap == math.inf
        json.dumps([found.as_dict(), *(each.as_dict() for each in found.failing)], allow_nan=False)


def test_missing_answers_fail():
    assert not compared("hop", [row("a"), row("a")], [Prediction("a")]).passed
    assert compared("hop", [], []).passed


def test_numbers_are_measured_by_how_far_they_are_spread():
    golden = [row(value) for value in (1_000_000.0, 1_000_001.0, 1_020_000.0)]
    assert compared("hop", golden, [Prediction(r["answer"] + 1.0) for r in golden]).gap == pytest.approx(1 / 20_000)
    small = [row(value) for value in (0.001, 0.002)]
    found = compared("hop", small, [Prediction(0.0011), Prediction(0.002)])
    assert (found.flips, found.gap) == (1, pytest.approx(0.1))
    assert compared("hop", [row(0.0)], [Prediction(0.0)]).passed
    assert compared("hop", [row(3.0)], [Prediction(3.03)]).gap == pytest.approx(1.0)


def test_vectors_are_measured_by_their_largest_number():
    vectors = np.random.default_rng(0).standard_normal((3, 5))
    golden = [row(vector.tolist()) for vector in vectors]
    moved = vectors + np.eye(5)[:3] * 0.25
    found = compared("hop", golden, [Prediction(vector.tolist()) for vector in moved])
    assert found.gap == pytest.approx(0.25 / np.abs(vectors).max()) and found.flips == 3
    assert differences(golden, [Prediction([1.0, 2.0])])[0].gap == math.inf
    assert differences(golden, [Prediction("text")])[0].flip


def test_a_regression_that_is_scaled_is_noticed():
    predictor = predictor_of(Regress().fit([Record("1", "", label=0.001), Record("2", "", label=0.002)]))
    assert reopened(predictor).passed
    with torch.no_grad():
        predictor.model.head.out.weight.mul_(1.01)
    assert not reopened(predictor).passed


def test_whatever_answers_raw_inputs_can_be_measured():
    predictor = classifier()
    seen = []

    def service(inputs):
        seen.extend(inputs)
        return predictor.predict(inputs)

    assert hop("HTTP", predictor.golden, service).passed
    assert seen == TEXTS


def test_hops_are_written_and_read_in_order(tmp_path):
    good, bad = compared("first", [], []), compared("second", [row(5.0)], [Prediction(math.nan)])
    parity = Parity().plus(good).plus(bad)
    parity.write(tmp_path)
    assert Parity.read(tmp_path) == parity
    assert [hop.name for hop in parity.hops] == ["first", "second"]
    assert Parity.read(tmp_path / "elsewhere") == Parity()


GOOD = compared("hop", [], [])
BAD = compared("hop", [row("up", 1.0, {"up": 1.0, "down": 0.0})], [Prediction("down", 1.0, {"up": 0.0, "down": 1.0})])


def make(place):
    place.mkdir()
    (place / "model").write_text("made")


def test_what_passes_appears_under_its_name(tmp_path):
    assert admit(tmp_path / "a", make, lambda place: (GOOD,)) == Parity((GOOD,))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_fails_is_kept_aside_with_the_reason(tmp_path):
    for _ in range(2):
        with pytest.raises(AnswersDiffer, match=r"expected .up., got .down..*Fix: do something") as caught:
            admit(tmp_path / "a", make, lambda place: (GOOD, BAD), "do something")
        assert caught.value.row == 1 and caught.value.file == str(tmp_path / "a.refused")
    assert [path.name for path in tmp_path.iterdir()] == ["a.refused"]
    told = json.loads((tmp_path / "a.refused" / "refused.json").read_text())
    assert told["differing"] == [{"row": 1, "expected": "up", "got": "down", "flip": True, "gap": 1.0}]
    assert told["reason"] == BAD.why and (tmp_path / "a.refused" / "model").read_text() == "made"


def test_nothing_of_somebody_else_is_overwritten(tmp_path):
    (tmp_path / "a.refused").mkdir()
    with pytest.raises(RunExists):
        admit(tmp_path / "a", make, lambda place: (BAD,))
    assert [path.name for path in tmp_path.iterdir()] == ["a.refused"]


def test_what_cannot_be_measured_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        admit(tmp_path / "a", make, lambda place: (1 // 0,))
    assert not list(tmp_path.iterdir())


class TestBoxes:
    """Answers that are objects in a picture."""

    BEFORE = (
        {"label": "a", "score": 0.9, "box": [10.0, 10.0, 50.0, 40.0]},
        {"label": "a", "score": 0.6, "box": [12.0, 60.0, 50.0, 90.0]},
        {"label": "b", "score": 0.31, "box": [70.0, 10.0, 90.0, 40.0]},
    )
    SCORES = MappingProxyType({"a": 0.9, "b": 0.31, "c": 0.0})

    def found(self, answer, limit=EXACT, scores=None):
        return compared(
            "hop", [row(list(self.BEFORE), None, self.SCORES)], [Prediction(tuple(answer), None, scores or self.SCORES)], limit
        )

    def changed(self, number, **how):
        return [{**box, **how} if place == number else box for place, box in enumerate(self.BEFORE)]

    def test_the_same_in_another_order(self):
        found = self.found(self.BEFORE[::-1])
        assert (found.flips, found.gap, found.passed) == (0, 0.0, True)

    def test_a_score_that_moved(self):
        found = self.found(self.changed(1, score=0.62))
        assert found.flips == 0 and found.gap == pytest.approx(0.02) and not found.passed
        assert self.found(self.changed(1, score=0.62), QUANTISED).passed

    def test_a_box_that_moved(self):
        """By one of its 40 pixels of width: 39 of 41 are shared."""
        found = self.found(self.changed(0, box=[11.0, 10.0, 51.0, 40.0]))
        assert found.flips == 0 and found.gap == pytest.approx(1 - 39 / 41) and not found.passed
        nearly = self.found(self.changed(0, box=[10.0 + 1e-5, 10.0, 50.0, 40.0]))
        assert nearly.passed and 0 < nearly.gap < 1e-6

    @pytest.mark.parametrize("other", [[70.0, 60.0, 90.0, 90.0], [70.0, 10.0, 90.0, 24.0]])
    def test_another_place_is_another_object(self, other):
        found = self.found(self.changed(0, box=other))
        assert found.flips == 1 and not found.passed

    def test_another_class_is_another_object(self):
        assert not self.found(self.changed(0, label="b"), QUANTISED).passed

    def test_what_is_missing_or_new_fails_unless_it_was_hardly_given(self):
        assert not self.found(self.BEFORE[1:], QUANTISED).passed
        assert not self.found([*self.BEFORE, {"label": "c", "score": 0.8, "box": [0.0, 0.0, 9.0, 9.0]}], QUANTISED).passed
        gone = self.found(self.BEFORE[:2], QUANTISED)
        assert gone.flips == 1 and gone.passed, "the least sure of all fell below the threshold"

    def test_a_picture_in_which_nothing_is_found_any_more(self):
        """Its own score tells that it did not just fall below the threshold."""
        one = [{"label": "a", "score": 0.9, "box": [1.0, 1.0, 5.0, 5.0]}]
        found = compared("hop", [row(one, None, {"a": 0.9})], [Prediction((), None, {"a": 0.02})], QUANTISED)
        assert found.flips == 1 and not found.passed
        assert found.as_dict()["gap"] == pytest.approx(0.88)

    def test_nothing_found_before_and_now(self):
        found = compared("hop", [row([], None, {"a": 0.1})], [Prediction((), None, {"a": 0.1})], EXACT)
        assert (found.flips, found.passed) == (0, True)

    def test_boxes_that_are_no_numbers(self):
        assert not self.found(self.changed(0, box=[math.nan] * 4), QUANTISED).passed
        assert not self.found(self.changed(0, score=math.nan), QUANTISED).passed
