import pytest
import torch

from tests import trained
from zhuji.core.errors import BadSetting
from zhuji.core.records import Record
from zhuji.core.units import Batch
from zhuji.model.assembly import LESSON
from zhuji.model.bundle import open_bundle
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress
from zhuji.training import teaching
from zhuji.training.material import encode


def test_lessons_are_the_teachers_logits_in_the_order_of_the_students_classes():
    teacher = open_bundle(trained.run())
    inputs = ["dogs bark", "cats purr and nap", "飞 翅膀", "fetch"]
    names = teacher.model.task.labels
    student = Classify(labels=tuple(sorted(names[:2], reverse=True)), counts=(1, 1))
    lessons = teaching._lessons(teacher, student, inputs)
    whole = teaching._lessons(teacher, teacher.model.task, inputs)
    assert torch.equal(lessons, whole[:, [names.index(name) for name in student.labels]])
    scores = [[answer.scores[name] for name in names] for answer in teacher.predict(inputs)]
    assert torch.allclose(whole.softmax(1).double(), torch.tensor(scores, dtype=torch.float64), atol=1e-6)


def test_agreement_costs_nothing_and_the_gradient_is_that_of_soft_labels():
    torch.manual_seed(0)
    task, theirs = Classify(labels=("a", "b", "c"), counts=(1, 1, 1)), torch.randn(5, 3)
    assert float(task.lesson_loss(theirs, theirs, 3.0).total) == pytest.approx(0, abs=1e-5)
    mine = torch.randn(5, 3, requires_grad=True)
    task.lesson_loss(mine, theirs, 3.0).total.backward()
    by_hand = 3.0 * ((mine / 3).softmax(1) - (theirs / 3).softmax(1)).detach()
    assert torch.allclose(mine.grad, by_hand, atol=1e-5)
    many = task.model_copy(update={"many": True})
    assert float(many.lesson_loss(theirs, theirs, 2.0).total) == pytest.approx(0, abs=1e-5)
    numbers = Regress(mean=10, scale=2)
    assert numbers.lesson(torch.tensor([[1.5]])).tolist() == [13.0]
    assert float(numbers.lesson_loss(torch.tensor([[1.5]]), torch.tensor([13.0]), 1.0).total) == 0


def test_both_losses_count_by_their_weights_and_rows_without_a_label_by_one_only():
    model = open_bundle(trained.run()).model
    texts = ["dogs bark", "cats purr"]
    rows = encode(model.modality, model.task, [Record("a", texts[0], label="dogs"), Record("b", texts[1])])
    units = model.modality.collate(rows.encoded, (int(rows.lengths.max()),))
    lesson = torch.randn(2, 3)
    batch = Batch(units, {"label": rows.targets["label"], LESSON: lesson})
    own, alone = model.task.loss(model.outputs(batch), batch), model.task.lesson_loss(model.outputs(batch), lesson, 2.0)
    assert torch.equal(model.loss(batch).total, own.total)
    model.teaching = (0.25, 2.0)
    both = model.loss(batch)
    assert both.total.item() == pytest.approx(0.75 * own.total.item() + 0.25 * alone.total.item(), rel=1e-5)
    assert float(both.count) == pytest.approx(0.75 * 1 + 0.25 * 2)


def test_answers_take_the_place_of_what_is_missing():
    record, lesson = Record("a", "x"), torch.zeros(1)
    one, many = Classify(labels=("a", "b"), counts=(1, 1)), Classify(many=True, labels=("a", "b"), counts=(1, 1))
    assert teaching._answered(record, "a", one, lesson).label is None
    assert teaching._answered(record, ["a"], many, lesson).label == ("a",)
    assert teaching._answered(record, 2.5, Regress(), lesson).label == 2.5
    assert teaching._answered(Record("a", "x", label=7.0), 2.5, Regress(), lesson).label == 7.0


def test_a_teacher_of_something_else_is_refused():
    with pytest.raises(BadSetting, match="regress"):
        teaching._refuse_another(Classify(), Regress())
    with pytest.raises(BadSetting, match="c"):
        teaching._refuse_another(Classify(labels=("a",), counts=(1,)), Classify(labels=("a", "c"), counts=(1, 1)))
