import pytest
import torch
import torch.nn.functional as F

from tests.tasks.test_masked_units import TEXTS, batch_of, model_of, scored, steps
from zhuji.nn import masking
from zhuji.nn.views import Viewing
from zhuji.tasks import distill_self
from zhuji.tasks.distill_self import DistillSelf


def test_units_are_compared_with_the_teachers_normalised_states(monkeypatch):
    kept = []
    hide = masking.hide
    monkeypatch.setattr(distill_self, "hide", lambda *given: kept.append(hide(*given)) or kept[-1])
    model, batch = model_of(DistillSelf(rate=0.4, beta=0.5)).eval(), batch_of(TEXTS)
    with torch.no_grad():
        outputs = model.outputs(batch)
        hidden = kept[0]
        student = model.encoder(batch.units, lambda features: model.head.blanks.corrupted(features, hidden)).states
        teacher = model.encoder.teacher(batch.units).states
        for row in range(4):
            for column, place in enumerate(hidden.places.index[row].tolist()):
                if not hidden.places.valid[row, column]:
                    assert not outputs["loss"][row, column]
                    continue
                wanted = teacher[row, place]
                wanted = (wanted - wanted.mean()) / (wanted.var(correction=0) + 1e-5).sqrt()
                gap = (model.head.predictor(student[row, place]) - wanted).abs()
                each = torch.where(gap < 0.5, gap.square() / (2 * 0.5), gap - 0.25).mean()
                torch.testing.assert_close(outputs["loss"][row, column], each, rtol=1e-4, atol=1e-5)


def test_rows_are_compared_by_the_cosine_in_both_directions(monkeypatch):
    monkeypatch.setattr(Viewing, "one", lambda self, units, spec: units)
    model, batch = model_of(DistillSelf(level="rows")).eval(), batch_of(TEXTS)
    with torch.no_grad():
        outputs = model.outputs(batch)
        guess = F.normalize(model.head.predictor(model.head.pool(model.encoder(batch.units))), dim=1)
        wanted = F.normalize(model.head.pool(model.encoder.teacher(batch.units)), dim=1)
    torch.testing.assert_close(outputs["loss"][:, 0], (guess - wanted).square().sum(1), rtol=1e-4, atol=1e-5)
    assert int(model.task.loss(outputs, batch).count) == 4


@pytest.mark.parametrize("settings", [{"level": "units", "rate": 0.3}, {"level": "rows"}, {"level": "rows", "views": "delete"}])
def test_the_student_learns_and_the_teacher_follows_without_gradients(settings):
    batch = batch_of(TEXTS * 4)
    model = model_of(DistillSelf(decay=0.9, **settings))
    before = scored(model.eval(), batch)
    first = [p.clone() for p in model.encoder.follower.parameters()]
    after = scored(steps(model, batch, 40), batch)
    assert after["distilled_loss"] < before["distilled_loss"]
    moved = list(model.encoder.follower.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(first, moved, strict=True))
    assert all(p.grad is None and not p.requires_grad for p in moved)


def test_answers_are_the_students_embeddings():
    model, batch = model_of(DistillSelf()).eval(), batch_of(TEXTS)
    outputs = model.outputs(batch)
    answers = [answer.answer for answer in model.task.decode(outputs)]
    torch.testing.assert_close(torch.tensor(answers), model.task.embed(model.encoder, model.head, batch.units).detach())
    assert "first" not in model.train().outputs(batch)


def test_a_collapse_is_told_and_the_momentum_is_the_decay():
    task = DistillSelf(decay=0.99)
    assert task.momentum == 0.99
    assert task.per_unit and not DistillSelf(level="rows").per_unit
    assert "collapse" in task.warnings({"spread": 0.02, "effective_rank": 1.1})[0]
    assert task.warnings({"spread": 0.7, "effective_rank": 9.0}) == []
