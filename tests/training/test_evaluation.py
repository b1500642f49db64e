import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from zhuji.core.contracts import Backbone, Modality
from zhuji.core.errors import NotFinite
from zhuji.core.lookup import find
from zhuji.core.records import Record
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress
from zhuji.training.evaluation import score, score_columns

TEXTS = [f"word{i % 5} and word{i % 7}" for i in range(90)]


def predictor_of(task, labels):
    records = [Record(f"row-{i}", text, label=label) for i, (text, label) in enumerate(zip(TEXTS, labels))]
    modality = find(Modality, "text")().fit(TEXTS)
    return Predictor(assemble(modality, find(Backbone, "bag").example(), task.fit(records))), records


def test_scores_are_those_of_the_answers():
    predictor, records = predictor_of(Classify(), ["abc"[i % 3] for i in range(90)])
    found = score(predictor, records, resamples=100)
    truth, said = [r.label for r in records], [a.answer for a in predictor.predict(TEXTS)]
    assert found.value("accuracy") == pytest.approx(accuracy_score(truth, said), abs=1e-9)
    assert found.value("macro_f1") == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-9)
    assert found.confusion == confusion_matrix(truth, said).tolist()
    assert [row["label"] for row in found.per_class] == ["a", "b", "c"]
    assert next(iter(found.metrics)) == "accuracy"
    assert found.metrics["accuracy"].low <= found.value("accuracy") <= found.metrics["accuracy"].high
    assert (found.rows, found.unseen, len(found.ids)) == (90, 0, 90)
    assert found.loss == pytest.approx(found.value("log_loss"), rel=1e-5)
    assert set(found.as_dict()["accuracy"]) == {"value", "low", "high"}


def test_encoded_rows_and_batch_sizes_change_nothing():
    predictor, records = predictor_of(Classify(), ["abc"[i % 3] for i in range(90)])
    encoded = predictor.model.modality.encode(TEXTS)
    a, b = score(predictor, records, resamples=20), score(predictor, records, encoded, resamples=20, batch_units=50)
    assert a.value("accuracy") == b.value("accuracy")
    assert a.value("log_loss") == pytest.approx(b.value("log_loss"), abs=1e-6)


def test_labels_that_training_never_met():
    predictor, records = predictor_of(Classify(), ["abc"[i % 3] for i in range(90)])
    found = score(predictor, [*records, Record("new", "word1", label="new")], resamples=0)
    assert found.unseen == 1
    assert sum(map(sum, found.confusion)) == 90
    assert math.isfinite(found.loss)


def test_numbers_and_many_labels():
    found = score(*predictor_of(Regress(), [float(i) for i in range(90)]), resamples=10)
    assert (found.per_class, found.confusion) == ((), ())
    assert found.value("rmse") > 0
    found = score(*predictor_of(Classify(many=True), [("a",) if i % 2 else ("a", "b") for i in range(90)]), resamples=10)
    assert len(found.per_class) == 2
    assert found.confusion == ()


def test_no_rows():
    predictor, _ = predictor_of(Classify(), ["abc"[i % 3] for i in range(90)])
    found = score(predictor, [])
    assert found.rows == 0
    assert found.as_dict()["accuracy"] == {"value": None, "low": None, "high": None}


def test_a_model_that_diverged_is_not_scored():
    import torch

    predictor, records = predictor_of(Classify(), ["abc"[i % 3] for i in range(90)])
    with torch.no_grad():
        predictor.model.head.out.bias.fill_(float("nan"))
    with pytest.raises(NotFinite):
        score(predictor, records)


def test_any_evidence_can_be_scored():
    columns = {"label": np.array([0, 1, 1]), "prediction": np.array([0, 1, 0])}
    found = score_columns({"accuracy": Classify().metrics()["accuracy"]}, columns, labels="ab", resamples=0)
    assert found.value("accuracy") == pytest.approx(2 / 3)
    assert math.isnan(found.loss)
