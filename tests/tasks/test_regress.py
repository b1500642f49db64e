import pytest
import torch

from zhuji.core.errors import NotANumber, UnknownName
from zhuji.core.records import Record
from zhuji.core.units import Batch, Units
from zhuji.tasks.regress import Regress

RECORDS = [Record(f"row-{i}", "", label=1e6 + 100.0 * i) for i in range(8)]


def batch_of(task, records):
    targets = [task.targets(r)["target"] for r in records]
    return Batch(Units(torch.ones(len(records), 1, dtype=torch.bool)), {"target": torch.stack(targets)})


def test_it_learns_the_scale_and_answers_in_the_targets_unit():
    task = Regress().fit(RECORDS)
    labels = torch.tensor([r.label for r in RECORDS], dtype=torch.float64)
    assert task.mean == pytest.approx(float(labels.mean()))
    assert task.scale == pytest.approx(float(labels.std(correction=0)))
    outputs = ((labels - task.mean) / task.scale).float()[:, None]
    evidence = task.evidence(outputs, batch_of(task, RECORDS))
    assert evidence["prediction"] == pytest.approx(labels.numpy(), rel=1e-8)
    assert evidence["target"].tolist() == labels.tolist()
    assert task.decode(outputs)[3].answer == pytest.approx(RECORDS[3].label)
    assert float(task.loss(outputs, batch_of(task, RECORDS)).mean()) < 1e-10


def test_predicting_the_mean_has_loss_one():
    task = Regress().fit(RECORDS)
    assert float(task.loss(torch.zeros(8, 1), batch_of(task, RECORDS)).mean()) == pytest.approx(1)
    halves = [task.loss(torch.zeros(4, 1), batch_of(task, RECORDS[part])) for part in (slice(0, 4), slice(4, 8))]
    assert float(halves[0].plus(halves[1]).mean()) == pytest.approx(1)


def test_huber_is_gentler_with_outliers():
    far = torch.full((8, 1), 10.0)
    square, huber = (Regress(objective=name).fit(RECORDS) for name in ("squared", "huber"))
    assert float(huber.loss(far, batch_of(huber, RECORDS)).mean()) < 0.2 * float(
        square.loss(far, batch_of(square, RECORDS)).mean()
    )


def test_a_constant_target_has_scale_one():
    task = Regress().fit([Record("1", "", label=3.0)] * 4)
    assert (task.mean, task.scale) == (3, 1)


@pytest.mark.parametrize("label", [None, "x", float("nan"), float("inf"), ("a",)])
def test_what_is_no_number_is_refused_with_its_place(label):
    with pytest.raises(NotANumber, match="row 7"):
        Regress().targets(Record("x", "", label=label, file="f.csv", row=7))


def test_text_that_is_a_number_is_one():
    assert float(Regress().targets(Record("x", "", label=" 2.5 "))["target"]) == 2.5


def test_rmse_chooses_the_checkpoint_and_the_task_can_be_written():
    task = Regress().fit(RECORDS)
    name, metric = next(iter(task.metrics().items()))
    assert (name, metric.higher_is_better) == ("rmse", False)
    assert Regress.parse(task.plain()) == task
    assert Regress.example().task.mean > 0


def test_the_number_is_what_can_be_explained():
    task, outputs = Regress(mean=3.0, scale=7.0), torch.tensor([[0.5], [-1.0]])
    answer = task.decode(outputs)[0]
    (about,) = task.abouts(answer)
    assert task.abouts(answer, "number") == [about]
    assert task.spoken_for(outputs, about).tolist() == [one.answer for one in task.decode(outputs)]
    with pytest.raises(UnknownName):
        task.abouts(answer, "colour")
