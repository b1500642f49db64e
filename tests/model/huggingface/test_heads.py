"""Their labels to our tasks, and back."""

import pytest

from tests.model.huggingface.made import BODIES
from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import UnreadableModel, UnwritableModel
from zhuji.model.huggingface.bert import Bert
from zhuji.model.huggingface.heads import described, purpose_of, task_of
from zhuji.model.huggingface.options import Options
from zhuji.tasks.classify import Classify
from zhuji.tasks.masked_units import MaskedUnits
from zhuji.tasks.regress import Regress

BODY = Transformer.parse(BODIES["bert"])
HEAD = Bert.heads["BertForSequenceClassification"]


def classify(folder, **config):
    return task_of(HEAD, BODY, Options(config, folder / "config.json"), "mean", True)


def test_labels_stand_in_the_order_of_their_numbers(tmp_path):
    task = classify(tmp_path, id2label={"1": "b", "0": "z", "2": "a"})
    assert task.labels == ("z", "b", "a") and (task.pool, task.hidden, task.activation) == ("first", BODY.width, "tanh")
    assert described(task, HEAD, BODY)["id2label"] == {"0": "z", "1": "b", "2": "a"}


def test_many_labels(tmp_path):
    task = classify(tmp_path, id2label={"0": "a", "1": "b"}, problem_type="multi_label_classification")
    assert task.many and described(task, HEAD, BODY)["problem_type"] == "multi_label_classification"


@pytest.mark.parametrize("names", [{}, {"1": "a"}, {"0": "a", "1": "a"}, {"0": 1}, {"0": ["a"], "1": "b"}, ["a", "b"], "ab"])
def test_labels_that_do_not_fit_are_refused(names, tmp_path):
    if names:
        with pytest.raises(UnreadableModel, match=r"id2label|regression"):
            classify(tmp_path, id2label=names)
    else:
        assert classify(tmp_path, id2label=names).labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize("config", [{"num_labels": 1}, {"problem_type": "regression"}, {"id2label": {"0": "score"}}])
def test_a_regression_is_refused(config, tmp_path):
    with pytest.raises(UnreadableModel, match="regression"):
        classify(tmp_path, **config)


def test_a_setting_that_stands_in_the_way_is_named():
    task = Classify(labels=("a", "b"), counts=(1, 1))
    with pytest.raises(UnwritableModel, match=r"task\.pool is mean, and the family needs first"):
        described(task, HEAD, BODY)
    with pytest.raises(UnwritableModel, match=r"task\.norm_eps"):
        described(MaskedUnits(), Bert.heads["BertForMaskedLM"], BODY)
    with pytest.raises(UnwritableModel, match="regress"):
        purpose_of(Regress())
