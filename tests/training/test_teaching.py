from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests import trained
from tests.heard import tone, written
from zhuji.backbones.bag import Bag
from zhuji.core.errors import BadSetting
from zhuji.core.records import Record
from zhuji.core.units import Batch
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.modalities.text import Text
from zhuji.model.assembly import LESSON, Teaching, assemble
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import embed_rows
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.imitate import Imitate
from zhuji.tasks.regress import Regress
from zhuji.tasks.tag import Tag, Tagged
from zhuji.training import teaching
from zhuji.training.material import Ragged, encode
from zhuji.training.run import compose


def test_lessons_are_the_teachers_logits_in_the_order_of_the_students_classes():
    teacher = open_bundle(trained.run())
    inputs = ["dogs bark", "cats purr and nap", "飞 翅膀", "fetch"]
    names = teacher.model.task.labels
    student = Classify(labels=tuple(sorted(names[:2], reverse=True)), counts=(1, 1))
    lessons = teaching._lessons(teacher, student, inputs)[LESSON]
    whole = teaching._lessons(teacher, teacher.model.task, inputs)[LESSON]
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
    model.teaching = Teaching(0.25, 2.0)
    both = model.loss(batch)
    assert both.total.item() == pytest.approx(0.75 * own.total.item() + 0.25 * alone.total.item(), rel=1e-5)
    assert float(both.count) == pytest.approx(0.75 * 1 + 0.25 * 2)


def test_answers_take_the_place_of_what_is_missing():
    record, lesson = Record("a", "x"), True
    one, many = Classify(labels=("a", "b"), counts=(1, 1)), Classify(many=True, labels=("a", "b"), counts=(1, 1))
    assert teaching._answered(record, "a", one, lesson).label is None
    assert teaching._answered(record, ["a"], many, lesson).label == ("a",)
    assert teaching._answered(record, 2.5, Regress(), lesson).label == 2.5
    assert teaching._answered(Record("a", "x", label=7.0), 2.5, Regress(), lesson).label == 7.0


def test_a_test_row_is_not_met_among_the_unlabelled_ones_under_another_name(tmp_path):
    for number in range(12):
        written(tmp_path / "known" / "ab"[number % 2] / f"{number}.wav", tone(300 + 50 * number, seed=number))
        written(tmp_path / "more" / f"copy-{number}.wav", tone(300 + 50 * number, seed=number))
    written(tmp_path / "more" / "new.wav", tone(900, seed=99))
    written(tmp_path / "more" / "new-again.wav", tone(900, seed=99))
    records = list(read_records(DataSettings(path=str(tmp_path / "known"))))
    material = SimpleNamespace(rows={"test": SimpleNamespace(records=records)}, task=Classify())
    more = str(tmp_path / "more")
    run = compose({}, {"data": {"path": "x.csv"}, "teacher": {"path": "x", "unlabelled": more}})
    (found,) = teaching._unlabelled(run, material)
    assert found.input.path.endswith(("new-again.wav", "new.wav")) and found.split == "train"


def test_a_teacher_of_something_else_is_refused():
    with pytest.raises(BadSetting, match="regress"):
        teaching._refuse_another(Classify(), Regress())
    with pytest.raises(BadSetting, match="imitate"):
        teaching._refuse_another(Contrast(), Contrast())
    teaching._refuse_another(Regress(), Imitate())  # vectors can be learned from any model
    with pytest.raises(BadSetting, match="c"):
        teaching._refuse_another(Classify(labels=("a",), counts=(1,)), Classify(labels=("a", "c"), counts=(1, 1)))


def test_the_lesson_of_tags_is_about_words_however_a_tokenizer_cuts_them():
    torch.manual_seed(0)
    rows = [Record("a", ("Ann", "met", "Bo"), label=("B-x", "O", "B-x")), Record("b", ("unhappily", "so"), label=("O", "I-x"))]
    task, inputs = Tag(dropout=0.0).fit(rows), [record.input for record in rows]
    by_letters = Text(tokenizer="characters").fit([word for words in inputs for word in words])
    teacher = Predictor(assemble(by_letters, Bag(width=8), task, 1))
    kept = teaching._lessons(teacher, task.model_copy(update={"labels": task.labels[::-1]}), inputs)
    assert kept[teaching.ENDS].tolist() == [3, 5]
    lesson = Ragged(kept[LESSON], kept[teaching.ENDS])[torch.tensor([1, 0])]
    assert lesson.shape == (2, 3, 3) and (lesson[0, 2] == -1).all()
    for row, words in zip(lesson, inputs[::-1], strict=True):
        units = by_letters.collate(by_letters.encode([words]), (16,))
        alone = teacher.model.eval().outputs(Batch(units)).logits[0].softmax(-1).flip(-1)
        torch.testing.assert_close(row[: len(words)], alone)


def test_the_loss_of_tags_is_that_of_classification_over_the_words_that_both_have():
    torch.manual_seed(0)
    rows = [Record("a", ("Ann", "met", "Bo"), label=("B-x", "O", "B-x")), Record("b", ("so",), label=("O",))]
    task = Tag(dropout=0.0).fit(rows)
    mine, theirs = (
        Tagged(torch.randn(2, wide, 2), torch.tensor([[True] * 3, [True, False, False]])[:, :wide]) for wide in (3, 2)
    )
    lesson, total = task.lesson(theirs), 0.0
    for row, word in ((0, 0), (0, 1), (1, 0)):  # the teacher has cut off the third word, and the second row has one
        p, q = ((of.logits[row, word] / 2).softmax(-1) for of in (theirs, mine))
        total += 4 * float((p * (p / q).log()).sum())
    found = task.lesson_loss(mine, lesson, 2.0)
    assert float(found.total) == pytest.approx(total, rel=1e-5)
    assert int(found.count) == 3


def test_vectors_are_those_that_embed_writes_and_every_split_has_them(tmp_path):
    teacher = open_bundle(trained.run())
    inputs = ["dogs bark", "cats purr and nap", "飞 翅膀", "fetch"]
    vectors = teaching._vectors(teacher, inputs)
    assert np.array_equal(vectors.numpy(), embed_rows(teacher.model, teacher.model.modality.encode(inputs)))
    records = [Record(str(i), raw) for i, raw in enumerate(inputs)]
    teaching._keep(teacher, Imitate(), records, tmp_path / "kept")
    back = teaching.remembered([records[2], Record("new", "x")], tmp_path / "kept")
    assert np.array_equal(back[0].lesson, vectors[2]) and back[1].lesson is None


def test_what_learns_from_lessons_alone_needs_a_teacher():
    run = compose({"data": {"path": "x.csv"}, "task": {"name": "imitate"}})
    with pytest.raises(BadSetting, match=r"zhuji distil"):
        teaching.refuse_untaught(run, Imitate())
    assert teaching.asked_of_rows(run.task) == "any" and teaching.asked_of_rows({"name": "classify"}) == "classify"
