import pytest
import torch
import torch.nn.functional as F

from tests.tasks.test_masked_units import TEXTS, batch_of, model_of, scored, steps
from zhuji.core.records import Record
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
