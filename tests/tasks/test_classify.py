import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.contracts import About
from zhuji.core.errors import BadSetting, UnknownName
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, Units
from zhuji.tasks.classify import Classify

RECORDS = [Record(f"row-{i}", "", label=name) for i, name in enumerate("abbcccc")]
MANY = [Record(f"row-{i}", "", label=names) for i, names in enumerate([("a", "b"), ("b",), (), ("c", "b"), ("b", "b")])]
SETTINGS = [{}, {"label_smoothing": 0.1}, {"class_weights": "balanced"}, {"objective": "focal"},
            {"objective": "focal", "class_weights": "balanced"}]  # fmt: skip


def batch_of(task, records):
    targets = [task.targets(r) for r in records]
    return Batch(
        Units(torch.ones(len(records), 1, dtype=torch.bool)), {k: torch.stack([t[k] for t in targets]) for k in targets[0]}
    )


def test_labels_are_learned_and_sorted():
    task = Classify().fit(list(reversed(RECORDS)))
    assert (task.labels, task.counts, task.rows) == (("a", "b", "c"), (1, 2, 4), 7)
    assert [int(task.targets(r)["label"]) for r in RECORDS] == [0, 1, 1, 2, 2, 2, 2]
    assert Classify.parse(task.plain()) == task


def test_numbers_are_label_names_too():
    task = Classify().fit([Record("1", "", label=1.0), Record("2", "", label=0.0)])
    assert task.labels == ("0.0", "1.0")


@pytest.mark.parametrize("label", ["z", None, ("a", "b")])
def test_what_training_never_met_is_minus_one(label):
    task = Classify().fit(RECORDS)
    assert int(task.targets(Record("x", "", label=label))["label"]) == -1


def test_unmet_rows_teach_nothing_and_count_as_wrong():
    task = Classify().fit(RECORDS)
    rows = [*RECORDS, Record("x", "", label="z")]
    logits = torch.randn(8, 3)
    with_it, without = task.loss(logits, batch_of(task, rows)), task.loss(logits[:7], batch_of(task, RECORDS))
    assert float(with_it.mean()) == pytest.approx(float(without.mean()))
    evidence = task.evidence(torch.eye(3)[[0, 1, 1, 2, 2, 2, 2, 0]], batch_of(task, rows))
    assert task.metrics()["accuracy"](evidence) == pytest.approx(7 / 8)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("many", [False, True])
@given(cut=st.integers(1, 4))
def test_the_loss_does_not_depend_on_how_rows_are_cut(settings, many, cut):
    records = MANY if many else RECORDS
    task = Classify(many=many, **settings).fit(records)
    logits, batch = torch.linspace(-3, 3, len(records) * 3).reshape(-1, 3).sin() * 3, batch_of(task, records)
    whole = task.loss(logits, batch)
    parts = [task.loss(logits[part], batch_of(task, records[part])) for part in (slice(0, cut), slice(cut, None))]
    assert float(parts[0].plus(parts[1]).mean()) == pytest.approx(float(whole.mean()), rel=1e-6)


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    task = Classify(class_weights="balanced").fit(RECORDS)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array([0, 1, 1, 2, 2, 2, 2]))
    assert task._weights(torch.device("cpu")).tolist() == pytest.approx(expected.tolist())
    loss = task.loss(torch.randn(7, 3), batch_of(task, RECORDS))
    assert float(loss.count) == pytest.approx(7)


def test_balanced_weights_of_many_labels_are_negatives_by_positive():
    task = Classify(many=True, class_weights="balanced").fit(MANY)
    assert task.counts == (1, 4, 1)
    assert task._weights(torch.device("cpu")).tolist() == [4, 0.25, 4]


def test_the_loss_is_torchs():
    task = Classify(class_weights="balanced", label_smoothing=0.2).fit(RECORDS)
    logits, batch = torch.randn(7, 3), batch_of(task, RECORDS)
    reference = torch.nn.CrossEntropyLoss(task._weights(torch.device("cpu")), label_smoothing=0.2)
    torch.testing.assert_close(task.loss(logits, batch).mean(), reference(logits, batch.targets["label"]))


def test_many_labels():
    task = Classify(many=True, threshold=0.7).fit(MANY)
    assert task.targets(MANY[0])["label"].tolist() == [True, True, False]
    assert task.targets(Record("x", "", label=("a", "z")))["label"].tolist() == [True, False, False]
    first, second = task.decode(torch.tensor([[2.0, -2.0, 0.5], [-2.0, -2.0, -2.0]]))
    assert first.answer == ("a",)
    assert first.score == pytest.approx(1 - torch.tensor(0.5).sigmoid().item())
    assert second.answer == ()
    evidence = task.evidence(torch.tensor([[2.0, -2.0, 0.5]] * 5), batch_of(task, MANY))
    assert evidence["prediction"].tolist() == [[True, False, False]] * 5
    assert next(iter(task.metrics())) == "micro_f1"


def test_one_label_is_decoded_with_its_probability():
    task = Classify().fit(RECORDS)
    logits = torch.tensor([[0.0, 2.0, 1.0]])
    answer = task.decode(logits)[0]
    p = logits.double().softmax(-1)[0]
    assert answer.answer == "b"
    assert answer.score == pytest.approx(float(p[1]))
    assert answer.scores == pytest.approx(dict(zip("abc", p.tolist())))
    assert task.evidence(logits, batch_of(task, RECORDS[:1]))["probabilities"].dtype == np.float64


@pytest.mark.parametrize(
    ("settings", "first"), [({}, "accuracy"), ({"class_weights": "balanced"}, "macro_f1"), ({"objective": "focal"}, "macro_f1")]
)
def test_what_chooses_the_checkpoint(settings, first):
    assert next(iter(Classify(**settings).metrics())) == first


@pytest.mark.parametrize("settings", [
    {"objective": "focal", "label_smoothing": 0.1}, {"labels": ["a"], "counts": []}, {"labels": ["a", "a"], "counts": [1, 1]},
    {"threshold": 0}, {"label_smoothing": 1}, {"hidden": 0},
])  # fmt: skip
def test_settings_that_cannot_be(settings):
    with pytest.raises(BadSetting):
        Classify.parse(settings)


def test_the_example_is_fitted():
    example = Classify.example()
    assert len(example.task.labels) == 3
    assert isinstance(example.task.loss(torch.zeros(8, 3), batch_of(example.task, example.records)), Ratio)


def test_heads_whose_characters_shared_one_length_with_the_units_are_refused():
    assert Classify.parse({"spelled": False}).spelled == 0 and Classify.parse({"spelled": 0.5}).spelled == 0.5
    with pytest.raises(BadSetting, match="fit it anew"):
        Classify.parse({"spelled": True})


def test_what_can_be_explained_and_its_log_odds():
    task, logits = Classify().fit(RECORDS), torch.tensor([[0.3, -1.0, 2.0]])
    answer = task.decode(logits)[0]
    assert task.abouts(answer) == [About("c")] and task.abouts(answer, "b") == [About("b")]
    odds = answer.scores["b"] / (1 - answer.scores["b"])
    assert task.spoken_for(logits, About("b")).item() == pytest.approx(np.log(odds), abs=1e-5)
    with pytest.raises(UnknownName):
        task.abouts(answer, "z")
    many, logits = Classify(many=True).fit(MANY), torch.tensor([[1.0, 2.0, -1.0], [-3.0, -2.0, -1.0]])
    first, second = many.decode(logits)
    assert many.abouts(first) == [About("a"), About("b")] and many.abouts(second) == [About("c")]
    assert many.spoken_for(logits, About("b")).tolist() == [2.0, -2.0]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("settings", SETTINGS)
def test_rows_that_were_mixed_learn_both_labels_by_their_shares(settings, many):
    if many and "label_smoothing" in settings:
        settings = {}
    records = (MANY if many else RECORDS)[:5]
    task = Classify(many=many, **settings).fit(records)
    logits, batch = torch.randn(5, len(task.labels)), batch_of(task, records)
    order, share = torch.tensor([1, 2, 3, 4, 0]), torch.tensor([1.0, 0.7, 0.5, 0.2, 0.0])
    mixed = {**batch.targets, "label_other": batch.targets["label"][order], "label_share": share}
    found = task.loss(logits, Batch(batch.units, mixed))
    total = count = 0.0
    for row in range(5):
        for source, part in ((records[row], share[row]), (records[int(order[row])], 1 - share[row])):
            alone = task.loss(logits[row : row + 1], batch_of(task, [source]))
            total, count = total + alone.total * part, count + alone.count * part
    torch.testing.assert_close(found.total, total)
    torch.testing.assert_close(found.count.float(), count.float())
