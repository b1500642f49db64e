import random

import numpy as np
import pytest
from seqeval import metrics as reference
from seqeval.scheme import IOB2

from zhuji.core.contracts import Prediction
from zhuji.core.records import Record
from zhuji.data.tags import normal
from zhuji.metrics import spans
from zhuji.metrics.intervals import bootstrap
from zhuji.tasks.tag import Tag

TAGS = ["O", "B-a", "I-a", "B-b", "I-b", "B-c"]


def sentence(rng, length):
    while (tags := normal(rng.choices(TAGS, [4, 1, 2, 1, 2, 1], k=length), "BIO")) is None:
        pass
    return tags


@pytest.fixture(scope="module")
def judged():
    rng = random.Random(0)
    truth = [sentence(rng, rng.randint(1, 8)) for _ in range(60)]
    # Half of the answers are right, the others a row of the same length.
    answers = [row if rng.random() < 0.5 else sentence(rng, len(row)) for row in truth]
    records = [Record(str(i), ("w",) * len(row), label=row) for i, row in enumerate(truth)]
    task = Tag().fit(records)
    return truth, answers, task, task.judge([Prediction(row) for row in answers], records)


def test_equal_to_seqeval_in_strict_mode(judged):
    truth, answers, task, columns = judged
    told = [list(row) for row in truth], [list(row) for row in answers]
    how = {"mode": "strict", "scheme": IOB2}
    assert spans.f1(columns) == pytest.approx(reference.f1_score(*told, **how), abs=1e-12)
    assert spans.precision(columns) == pytest.approx(reference.precision_score(*told, **how), abs=1e-12)
    assert spans.recall(columns) == pytest.approx(reference.recall_score(*told, **how), abs=1e-12)
    assert spans.macro_f1(columns) == pytest.approx(reference.f1_score(*told, average="macro", **how), abs=1e-12)
    assert spans.accuracy(columns) == pytest.approx(reference.accuracy_score(*told), abs=1e-12)
    report = reference.classification_report(*told, output_dict=True, **how)
    for row in spans.per_kind(columns, task.classes)[:-1]:
        known = report[row["label"]]
        assert [row["precision"], row["recall"], row["f1"], row["support"]] == pytest.approx(
            [known["precision"], known["recall"], known["f1-score"], known["support"]], abs=1e-12
        )


def test_a_resample_is_the_score_of_the_rows_drawn(judged):
    truth, answers, _, columns = judged
    times = np.random.default_rng(0).integers(0, 3, len(truth))
    rows = np.repeat(np.arange(len(truth)), times)
    drawn = [list(truth[i]) for i in rows], [list(answers[i]) for i in rows]
    assert spans.f1.resampled(columns, times[None].astype(float))[0] == pytest.approx(
        reference.f1_score(*drawn, mode="strict", scheme=IOB2), abs=1e-12
    )
    interval = bootstrap(spans.f1, columns, 200)
    assert 0 < interval.low < interval.value < interval.high < 1


def test_nothing_to_find():
    empty = {name: np.zeros((2, 3), np.int64) for name in spans.COUNTS}
    assert spans.f1(empty) == spans.macro_f1(empty) == 0.0
