import random

import pytest

from zhuji.core.records import Record
from zhuji.data.tags import normal
from zhuji.tasks.tag import Tag
from zhuji.training.baselines import baselines
from zhuji.training.tagging import shape_svm, usual_tags


def records(rows=80, seed=0):
    """Names begin with a capital letter, and a second capital word goes on with them."""
    rng = random.Random(seed)
    found = []
    for i in range(rows):
        words, tags = [], []
        for _ in range(rng.randint(2, 5)):
            if rng.random() < 0.5:
                words.append(rng.choice("abcdef") * 3)
                tags.append("O")
            else:
                size = rng.randint(1, 2)
                words += [chr(rng.randrange(65, 91)) + chr(rng.randrange(97, 123)) * 3 for _ in range(size)]
                tags += ["B-n", *["I-n"] * (size - 1)]
                words.append("and")
                tags.append("O")
        found.append(Record(str(i), tuple(words), label=tuple(tags)))
    return found


TRAIN, TEST = records(), records(20, seed=1)
TASK = Tag().fit(TRAIN)


def test_the_usual_tag_of_each_word():
    train = [Record("0", ("a", "b", "a"), label=("B-x", "O", "O")), Record("1", ("a",), label=("B-x",))]
    assert usual_tags(TASK, train, [Record("2", ("b", "a", "new"))]) == [("O", "B-x", "O")]
    plain = [Record("0", ("a", "b", "c"), label=("DET", "NOUN", "NOUN"))]
    assert usual_tags(TASK, plain, [Record("2", ("new",))]) == [("NOUN",)]


def test_shapes_tell_names_never_met_and_the_scheme_is_kept():
    answers = shape_svm(TASK, TRAIN, TEST)
    assert all(normal(answer, "BIO") is not None for answer in answers)
    right = sum(a == b for record, answer in zip(TEST, answers, strict=True) for a, b in zip(record.label, answer, strict=True))
    assert right / sum(len(record.label) for record in TEST) > 0.97


@pytest.mark.parametrize("tags", [("O", "O"), ("B-x", "O")])
def test_few_tags(tags):
    train = [Record("0", ("a", "b"), label=tags)]
    assert len(shape_svm(Tag().fit(train), train, [Record("1", ("a",)), Record("2", ("b", "a", "c"))])[1]) == 3


def test_scored_by_the_tasks_own_metrics():
    found = baselines(TASK, TRAIN, TEST, resamples=10)
    assert list(found) == ["usual_tag", "shape_svm"]
    scores = {name: rival.scores.value("span_f1") for name, rival in found.items()}
    assert scores["shape_svm"] > scores["usual_tag"]
    assert [row["label"] for row in found["shape_svm"].scores.per_class] == ["n", "(other)"]
