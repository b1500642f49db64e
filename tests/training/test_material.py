import numpy as np
import pytest

from zhuji.core.records import SPLITS
from zhuji.data.loader import BatchPlan
from zhuji.data.prepare import prepare
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify
from zhuji.training.material import gather


@pytest.fixture
def prepared(settings):
    return prepare(settings().data, 0)


def test_every_row_gets_its_fate(prepared):
    material = gather(prepared, Text(max_units=10), Classify(), 0)
    ledger, rows = prepared.ledger, [row for split in SPLITS for row in material.rows[split].encoded]
    assert ledger.balanced
    assert ledger.total("cut") == sum(row.cut > 0 for row in rows) > 0
    assert ledger.units == sum(row.length for row in rows)
    assert ledger.units_cut == sum(row.cut for row in rows)


def test_made_rows_have_no_fate(settings):
    data = settings("data.balance.sample=over").data
    balanced = prepare(data, 0)
    extra = balanced.split("train")[0]
    balanced.records.append(type(extra)(id=f"{extra.id}+1", input=extra.input, label=extra.label, split="train"))
    gather(balanced, Text(), Classify(), 0)
    assert balanced.ledger.balanced
    assert balanced.ledger.total() == 320


def test_batches_hold_the_rows_and_their_targets(prepared):
    material = gather(prepared, Text(), Classify(), 0)
    part = material.rows["train"]
    chosen = np.array([5, 0, 9])
    length = int(part.lengths[chosen].max())
    batch = part.batch(BatchPlan(chosen, length))
    for place, i in enumerate(chosen):
        again = material.modality.encode([part.records[i].input])[0]
        assert batch.units.ids[place][batch.units.mask[place]].tolist() == again.ids.tolist()
        assert material.task.labels[batch.targets["label"][place]] == part.records[i].label


def test_what_was_learned_can_be_taken_up(prepared, settings):
    material = gather(prepared, Text(), Classify(), 0)
    again = gather(prepare(settings().data, 0), Text(), Classify(), 0, fitted=material.modality.files())
    assert again.digest() == material.digest()
    assert gather(prepare(settings().data, 1), Text(), Classify(), 0).digest() != material.digest()
