import numpy as np
import pytest
import torch

from zhuji.core.records import Record
from zhuji.core.units import Batch, Units
from zhuji.tasks.imitate import Imitate


def batch(taught):
    return Batch(Units(torch.ones(len(taught), 1, dtype=torch.bool)), {"taught": torch.tensor(taught)})


def by_hand(own, taught, temperature):
    """Row by row, as it is written in the paper."""
    total = 0.0
    for i in range(len(own)):
        others = [j for j in range(len(own)) if j != i]
        mine, theirs = (
            np.exp([float(each[i] @ each[j] / np.linalg.norm(each[i]) / np.linalg.norm(each[j])) / temperature for j in others])
            for each in (own, taught)
        )
        mine, theirs = mine / mine.sum(), theirs / theirs.sum()
        total += float((theirs * np.log(theirs / mine)).sum())
    return total


def test_the_loss_is_the_divergence_of_likeness_between_other_rows():
    rng = np.random.default_rng(0)
    own, taught = rng.standard_normal((6, 4)).astype(np.float32), rng.standard_normal((6, 7)).astype(np.float32)
    task = Imitate(temperature=0.3)
    found = task.loss(torch.tensor(own), batch(taught))
    assert float(found.total) == pytest.approx(by_hand(own, taught, 0.3), rel=1e-4)
    assert int(found.count) == 6


def test_a_turned_copy_of_the_teachers_vectors_costs_nothing_and_keeps_every_neighbour():
    rng = np.random.default_rng(1)
    taught = rng.standard_normal((30, 5)).astype(np.float32)
    turned = taught @ np.linalg.qr(rng.standard_normal((5, 5)))[0].astype(np.float32) * 3
    task, rows = Imitate(), batch(taught)
    assert float(task.loss(torch.tensor(turned), rows).total) == pytest.approx(0, abs=1e-3)
    scores = {name: metric(task.evidence(torch.tensor(turned), rows)) for name, metric in task.metrics().items()}
    assert scores["neighbours_kept"] == 1 and scores["likeness_kept"] == pytest.approx(1)


def test_rows_that_no_teacher_has_seen_cost_nothing_and_disturb_no_other():
    rng = np.random.default_rng(2)
    own, taught = rng.standard_normal((5, 4)).astype(np.float32), rng.standard_normal((5, 4)).astype(np.float32)
    unknown = np.concatenate((taught, np.zeros((2, 4), np.float32)))
    more = np.concatenate((own, rng.standard_normal((2, 4)).astype(np.float32)))
    task = Imitate(temperature=0.5)
    some, all_of_them = task.loss(torch.tensor(own), batch(taught)), task.loss(torch.tensor(more), batch(unknown))
    assert float(some.total) == pytest.approx(float(all_of_them.total), rel=1e-5) and int(all_of_them.count) == 5
    lonely = task.loss(torch.tensor(own[:1]).requires_grad_(), batch(taught[:1]))
    assert float(lonely.total.detach()) == 0
    untaught = batch(np.zeros((5, 0), np.float32))
    assert float(task.loss(torch.tensor(own), untaught).total) == 0
    assert task.targets(Record("a", "x"))["taught"].shape == (0,)
    assert np.isnan(task.metrics()["neighbours_kept"](task.evidence(torch.tensor(own), untaught)))
