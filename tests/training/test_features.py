"""What a fitted head reads: which runs are rare, and what its columns hold."""

import numpy as np
import pytest
import torch

from tests.training.test_few_labels import few, run_of, start  # noqa: F401
from zhuji.model.assembly import collate
from zhuji.training.begin import begin
from zhuji.training.features import HeadFeatures, Way


@pytest.fixture(scope="module")
def job(run_of, tmp_path_factory):  # noqa: F811
    return begin(run_of(), tmp_path_factory.mktemp("features") / "run")


def _buckets(model, counter, row):
    """Of the runs of one row, of both kinds."""
    units = collate(model, [row], None, row.length).units
    return {bucket for buckets, real in counter.runs(units) for bucket in buckets[real].tolist()}


def test_rows_without_labels_say_which_runs_are_rare(job):
    rows = job.material.rows["train"].encoded
    some, others = rows[:20], rows[20:50]
    alone, beside = (HeadFeatures.of(job.model, some, job.material.task, more).counter for more in ((), others))
    held = [_buckets(job.model, beside, row) for row in (*some, *others)]
    bucket = next(iter(set.union(*held[:20]) & set.union(*held[20:])))
    having = [sum(bucket in row for row in part) for part in (held[:20], held)]
    assert alone.rarity[bucket] == pytest.approx(np.log(21 / (1 + having[0])) + 1)
    assert beside.rarity[bucket] == pytest.approx(np.log(51 / (1 + having[1])) + 1)


@pytest.mark.parametrize("way", [
    Way("both", True, 0.5, 2, 2.0), Way("as they are", deep=1.0, wide=2, spelled=0.5), Way("runs", deep=0.0, wide=2), Way("states", True)
], ids=lambda way: way.name)  # fmt: skip
def test_products_are_those_of_the_columns(job, way):
    rows = torch.arange(0, 40, 3)
    features = HeadFeatures.of(job.model, job.material.rows["train"].encoded, job.material.task)
    columns = features.columns(way, rows).toarray().astype(np.float64)
    np.testing.assert_allclose(features.gram(way, rows).numpy(), columns @ columns.T + 1, atol=1e-6)
    runs = columns[:, job.model.backbone.out_width if way.deep else 0 :]
    if way.wide:
        assert len(features.runs) == 2
        for kind in features.runs:
            assert np.linalg.norm(kind.toarray(), axis=1) == pytest.approx(1, abs=1e-5)
        # No bucket holds a run of units and one of characters here, so the whole has length 1 too.
        assert np.linalg.norm(runs, axis=1) == pytest.approx(1, abs=1e-2)
    else:
        assert runs.shape[1] == 0
