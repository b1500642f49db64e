from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.contracts import properties
from tests.contracts.doubles import Cells, Picture
from tests.contracts.properties import Cell
from tests.tasks.test_masked_units import TEXTS, batch_of, model_of, scored, steps
from zhuji.backbones.transformer import Transformer
from zhuji.core.records import Record
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.tasks.triplet import Triplet

LABELS = ["cat", "dog", "cat", "dog"]
RECORDS = [Record(f"row-{i}", text, label=label) for i, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]


def with_labels(task, texts, labels):
    batch = batch_of(texts)
    targets = [task.targets(Record("x", "", label=label))["label"] for label in labels]
    batch.targets["label"] = torch.stack(targets)
    return batch


def test_labels_are_learned_and_unseen_ones_are_none():
    task = Triplet().fit([*RECORDS, Record("n", "", label=3.0), Record("m", "", label=None)])
    assert task.labels == ("3.0", "cat", "dog")
    for label, index in (("cat", 1), ("dog", 2), (3.0, 0), ("bird", -1), (None, -1), (("cat", "dog"), -1)):
        assert int(task.targets(Record("x", "", label=label))["label"]) == index


@pytest.mark.parametrize("distance", ["squared", "plain"])
def test_the_loss_is_the_hinge_of_semi_hard_triplets(distance):
    task = Triplet(distance=distance, margin=0.7).fit(RECORDS)
    torch.manual_seed(0)
    first = F.normalize(torch.randn(6, 3), dim=1)
    labels = ["cat", "dog", "cat", "dog", "cat", "bird"]
    batch = with_labels(task, TEXTS + TEXTS[:2], labels)
    total = count = 0.0
    for i in range(5):
        for j in range(5):
            if i == j or labels[i] != labels[j]:
                continue
            apart = [float((first[i] - first[k]).norm()) ** (2 if distance == "squared" else 1) for k in range(5)]
            away = [apart[k] for k in range(5) if labels[k] != labels[i]]
            farther = [d for d in away if d > apart[j]]
            total += max(0.0, 0.7 + apart[j] - (min(farther) if farther else max(away)))
            count += 1
    loss = task.loss({"first": first, "draws": torch.rand(6, 6)}, batch)
    assert float(loss.total) == pytest.approx(total, rel=1e-4) and int(loss.count) == count


def test_a_batch_without_triplets_teaches_nothing():
    task = Triplet().fit(RECORDS)
    model = model_of(task)
    for labels in (["cat"] * 4, ["bird"] * 4, ["cat", "dog", "bird", None]):
        loss = model.loss(with_labels(task, TEXTS, labels))
        assert float(loss.total.detach()) == 0 and int(loss.count) == 0
        loss.mean().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("mining", ["random", "semi_hard", "hard"])
def test_classes_come_to_lie_together(mining):
    task = Triplet(mining=mining, margin=0.5, width=4).fit(RECORDS)
    texts = [" ".join(text.split()[i:] + text.split()[:i]) for text in TEXTS for i in range(3)]
    labels = [label for label in LABELS for _ in range(3)]
    batch = with_labels(task, texts, labels)
    model = steps(model_of(task), batch, 60)
    scores = scored(model, batch)
    assert scores["recall_at_1"] == scores["mrr"] == 1
    assert float(model.loss(batch).mean().detach()) < 0.05


def test_answers_are_embeddings_and_evidence_has_no_label_column():
    task = Triplet().fit(RECORDS)
    model = model_of(task).eval()
    batch = with_labels(task, TEXTS, LABELS)
    outputs = model.outputs(batch)
    assert len(task.decode(outputs)[0].answer) == 16
    assert set(task.evidence(outputs, batch)) == {"first", "group"}
    assert task.warnings({"spread": 0.01, "effective_rank": 5.0})


def unlabelled(kind, views="crop"):
    modality, inputs = kind.example()
    cell = Cell.of((modality, inputs), Transformer(width=8, layers=1, heads=2, dropout=0.1), Triplet.example())
    return replace(cell, task=Triplet(margin=3.0, width=4, views=views))


@pytest.mark.parametrize("kind", [Text, Picture, Cells])
@pytest.mark.parametrize("promise", properties.EVERY, ids=lambda promise: promise.__name__)
def test_without_labels_every_promise_is_kept(kind, promise):
    promise(unlabelled(kind))


@pytest.mark.parametrize("distance", ["squared", "plain"])
def test_without_labels_a_positive_is_the_other_view_and_equal_rows_are_one(distance):
    task = Triplet(distance=distance, margin=0.7)
    torch.manual_seed(0)
    points = F.normalize(torch.randn(8, 3), dim=1)
    texts = [*TEXTS[:3], TEXTS[0]]
    batch = batch_of(texts)
    outputs = model_of(task).outputs(batch) | {"first": points[:4], "second": points[4:]}
    assert outputs["draws"].shape == (8, 8) and len(set(outputs["draws"][0].tolist())) == 8
    rows = texts * 2
    total = count = 0.0
    for i in range(8):
        apart = [float((points[i] - points[k]).norm()) ** (2 if distance == "squared" else 1) for k in range(8)]
        away = [apart[k] for k in range(8) if rows[k] != rows[i]]
        for j in range(8):
            if i != j and rows[i] == rows[j]:
                farther = [d for d in away if d > apart[j]]
                total += max(0.0, 0.7 + apart[j] - (min(farther) if farther else max(away)))
                count += 1
    loss = task.loss(outputs, batch)
    assert float(loss.total.detach()) == pytest.approx(total, rel=1e-4) and int(loss.count) == count == 4 * 3 + 4 * 1


def test_without_other_rows_there_is_no_triplet():
    loss = model_of(Triplet()).loss(batch_of([TEXTS[0]] * 3))
    assert float(loss.total.detach()) == 0 and int(loss.count) == 0


def topics():
    """Sixteen texts, each of four words of its own in some order."""
    return [" ".join(f"w{4 * k + (i * i + i // 3 + k) % 4}" for i in range(8)) for k in range(16)]


def taught(mining, views):
    """Scores on the topics before and after 60 steps."""
    text = Text(tokenizer="words").fit(topics())
    batch = batch_of(topics(), text)
    task = Triplet(mining=mining, views=views, width=8)
    model = assemble(text, Transformer(width=16, layers=1, heads=2, dropout=0.2), task)
    return scored(model.eval(), batch), scored(steps(model, batch, 60), batch)


@pytest.mark.parametrize("views", ["crop", "delete", "halves", "dropout"])
def test_views_of_a_row_come_to_lie_together_and_rows_apart(views):
    before, after = taught("semi_hard", views)
    # Of three seeds: uniformity from -1.2 … -2.0 to -2.4 … -3.2, alignment from 0.06 … 0.49 to 0.00 … 0.02, all other views found.
    assert after["uniformity"] < before["uniformity"] - 0.3
    assert after["alignment"] <= max(0.04, before["alignment"] / 3)
    assert after["view_recall"] >= max(0.9, before["view_recall"])
    assert not Triplet().warnings(after)


def test_semi_hard_negatives_spread_rows_further_than_random_ones():
    assert taught("semi_hard", "crop")[1]["uniformity"] < taught("random", "crop")[1]["uniformity"] - 0.3


def test_hard_mining_may_collapse_and_the_watch_says_so():
    """Schroff et al. 2015, section 3.2."""
    after = taught("hard", "halves")[1]
    assert after["spread"] < 0.25 and Triplet().warnings(after)


def test_the_batch_in_chunks_has_the_same_loss():
    found = []
    for chunk in (None, 3):
        model = model_of(Triplet(views="delete", chunk=chunk)).train()
        torch.manual_seed(1)
        found.append(model.loss(batch_of(TEXTS * 2 + ["a mat"])).total.detach())
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)


def test_what_labels_taught_is_kept_apart_from_what_needs_none():
    assert Triplet().needs == "nothing" and Triplet().fit(RECORDS).needs == "label"
    assert set(Triplet().metrics()) == {
        "align_and_spread",
        "alignment",
        "uniformity",
        "spread",
        "effective_rank",
        "view_recall",
    }
    assert Triplet().fit(RECORDS).fit(()).targets(RECORDS[0]) == {}
