"""A teacher beside the batches of a pretraining."""

import shutil
from pathlib import Path

import pytest
import torch

from tests import foundation
from zhuji import api
from zhuji.core.errors import BadSetting, ChangedSinceStart
from zhuji.core.units import Batch
from zhuji.data.corpus.shards import Corpus
from zhuji.model.assembly import Teaching, assemble
from zhuji.tasks.masked_units import MaskedUnits
from zhuji.training import pretrain, tutoring
from zhuji.training.feed import documents
from zhuji.training.pretraining import compose
from zhuji.training.run import TeacherSettings

SMALL = [pair for pair in foundation.SMALL if not pair.startswith("modality.vocab_size")]


def run(teacher: Path, *sets: str):
    base = {"corpus": {"sources": [str(foundation.texts())]}, "teacher": {"path": str(teacher)}, "modality": {"max_units": 32}}
    backbone = {"name": "transformer", "positions": "learned", "max_positions": 256, "dropout": 0.1}
    return compose({**base, "backbone": backbone, "task": {"name": "next_unit"}}, sets=[*SMALL, "train.epochs=1", *sets])


def units(model):
    corpus = Corpus(next((foundation.result().run / "corpus").glob("corpus-*")))
    rows = [row for row, _ in zip(documents(corpus), range(6), strict=False)]
    return model.modality.collate(rows, (max(row.length for row in rows),))


def test_the_loss_of_next_units_is_the_divergence_of_whole_distributions():
    teacher = tutoring.tutor(TeacherSettings(path=str(foundation.result().run)))
    student = assemble(teacher.modality, teacher.backbone.model_copy(update={"dropout": 0.3}), teacher.task, 7)
    student.teaching = Teaching(1.0, 2.0, teacher)
    batch, logits = Batch(units(student)), {}
    torch.manual_seed(3)
    loss = student.loss(batch)
    for name, model in (("student", student), ("teacher", teacher)):
        torch.manual_seed(3)
        states = model.encoder(batch.units).states[:, :-1][batch.units.mask[:, 1:]]
        logits[name] = (states @ model.encoder.table().T) / 2
    mine, theirs = (logits[name].log_softmax(-1) for name in ("student", "teacher"))
    expected = 4 * (theirs.exp() * (theirs - mine)).sum()
    assert float(loss.total.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    assert int(loss.count) == len(mine) == int(batch.units.mask.sum()) - len(batch)
    loss.total.backward()
    assert all(p.grad is None for p in teacher.parameters()) and not teacher.encoder.training


def test_the_same_units_are_hidden_from_both_and_a_twin_has_nothing_to_learn():
    teacher = tutoring.tutor(TeacherSettings(path=str(foundation.result().run)))
    task = MaskedUnits(rate=0.4)
    one, two = (assemble(teacher.modality, teacher.backbone, task, seed) for seed in (1, 2))
    batch = Batch(units(one))
    for tutor, same in ((one, True), (two, False)):
        one.teaching = Teaching(1.0, 1.0, tutor.train())
        torch.manual_seed(5)
        total = float(one.loss(batch).total.detach())
        assert (total == pytest.approx(0, abs=1e-3)) == same
    assert "teaching" not in str(one.state_dict().keys()) and len(one.state_dict()) == len(two.state_dict())


def test_it_goes_on_bit_for_bit_with_the_same_teacher_and_with_no_other(tmp_path):
    teacher = tmp_path / "teacher"
    shutil.copytree(foundation.result().run, teacher)
    whole = pretrain.fit(
        run(teacher, "train.checkpoint_seconds=0", "train.keep=50", "pack=32"), tmp_path / "whole", progress=False
    )
    weights = (whole.bundle / "model.safetensors").read_bytes()
    part = tmp_path / "part"
    shutil.copytree(whole.run, part)
    (part / "results.json").unlink()
    steps = sorted((part / "checkpoints").iterdir())
    assert len(steps) > 6
    for path in steps[len(steps) // 2 :]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = pretrain.resume(part, progress=False)
    assert (again.bundle / "model.safetensors").read_bytes() == weights
    (part / "results.json").unlink()
    shutil.rmtree(teacher)
    other = api.pretrain(
        foundation.texts(), model="gpt-mini", epochs=1, run_dir=teacher, seed=9, sets=foundation.SMALL, progress=False
    )
    with pytest.raises(ChangedSinceStart, match="teacher"):
        pretrain.resume(part, progress=False)
    assert other.run == teacher


def test_the_student_takes_the_teachers_tokenizer(tmp_path):
    teacher = tutoring.tutor(TeacherSettings(path=str(foundation.result().run)))
    found = tutoring.settled(run(foundation.result().run), teacher)
    assert found.modality["vocab_size"] == 300 and found.modality["max_units"] == 32 and found.teacher.hash


@pytest.mark.parametrize(
    "setting, key",
    [
        ("modality.vocab_size=280", "teacher.path"), ("task.name=masked_units", "teacher.path"),
        ("task.name=replaced_unit", "teacher.path"), ("backbone.max_positions=16", "modality.max_units"), ("pack=512", "pack"),
    ],
)  # fmt: skip
def test_a_teacher_that_cannot_teach_is_refused(setting, key):
    teacher = tutoring.tutor(TeacherSettings(path=str(foundation.result().run)))
    with pytest.raises(BadSetting) as refusal:
        tutoring.settled(run(foundation.result().run, setting), teacher)
    assert key in str(refusal.value)


def test_another_tokenizer_is_refused_with_what_to_do(tmp_path):
    other = api.tokenizer(foundation.texts(), tmp_path / "other", model="gpt-mini", vocab_size=290)
    with pytest.raises(BadSetting, match="takes the teacher's"):
        pretrain.fit(run(foundation.result().run, f"tokenizer={other.folder}"), tmp_path / "run", progress=False)


def test_a_corpus_has_no_further_texts():
    with pytest.raises(BadSetting, match="unlabelled"):
        run(foundation.result().run, "teacher.unlabelled=more.txt")
