from dataclasses import replace

import numpy as np
import pytest

from tests import trained
from zhuji.core import lookup
from zhuji.core.contracts import Task
from zhuji.tools.pages.found import confusions, holds_numbers, ledger_by_split, mistakes, models, read


def test_a_run_as_read() -> None:
    found = read(trained.run())
    assert [chosen for _, _, chosen in models(found)] == [True, *[False] * (len(models(found)) - 1)]
    wrong = mistakes(found, 1000, 0)
    assert all(row["label"] != row["prediction"] for row in wrong)
    assert [row["score"] for row in wrong] == sorted((row["score"] for row in wrong), reverse=True)


@pytest.mark.parametrize("task", [name for name in lookup.names(Task) if lookup.find(Task, name).needs == "nothing"])
@pytest.mark.parametrize("labels", [["no", "yes"], []])
def test_what_is_no_guess_at_a_label_is_no_mistake(labels, task) -> None:
    """A critic's score, or a perplexity, beside the class of a row, or beside none."""
    found = read(trained.run())
    results = {**found.results, "labels": labels, "model": {"task": task}}
    scored = [{"id": "1", "input": "x", "label": "no" if labels else "", "prediction": "-0.3", "score": ""}]
    seen = replace(found, results=results, predictions=scored)
    assert mistakes(seen, 9, 0) == [] and not holds_numbers(seen)


def test_confusions_leave_the_diagonal_out() -> None:
    found = confusions(np.array([[9, 1, 0], [3, 5, 0], [0, 0, 2]]), ["a", "b", "c"])
    assert [(row["actual"], row["predicted"], row["rows"], row["share"]) for row in found] == [
        ("b", "a", 3, 3 / 8),
        ("a", "b", 1, 0.1),
    ]


def test_the_ledger_adds_up_over_classes() -> None:
    rows = [
        {"split": s, "fate": "used", "cause": "", "label": x, "rows": n}
        for s, x, n in (("test", "a", 1), ("train", "a", 2), ("train", "b", 3))
    ]
    table = ledger_by_split({"read": 6, "used": 6, "rows": rows})["table"]
    assert [(row["split"], row["rows"]) for row in table] == [("train", 5), ("test", 1)]
