from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.heard import spoken_folder
from zhuji.core.records import SPLITS, Record
from zhuji.data.ledger import Ledger
from zhuji.data.loader import BatchPlan
from zhuji.data.prepare import prepare
from zhuji.data.settings import DataSettings
from zhuji.modalities.image import Image
from zhuji.modalities.speech import Speech
from zhuji.modalities.text import Text
from zhuji.nn.pictures.variation import Variation
from zhuji.tasks.classify import Classify
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.tag import Tag
from zhuji.tasks.translate import Translate
from zhuji.training.material import encode, gather, settle


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


@pytest.mark.parametrize("plane", [False, True])
def test_seconds_of_sounds_are_those_of_the_recordings_and_not_of_their_frames(tmp_path, plane):
    prepared = prepare(DataSettings(path=str(spoken_folder(tmp_path)), leaks="allow"), 0)
    gather(prepared, Speech(rate=8_000, bands=6, longest=0.3, plane=plane), Classify(), 0)
    lengths = [0.2 + 0.01 * number for number in range(24)]
    assert prepared.ledger.seconds == pytest.approx(sum(min(length, 0.3) for length in lengths))
    assert prepared.ledger.seconds_cut == pytest.approx(sum(max(length - 0.3, 0.0) for length in lengths))


def test_seconds_of_sounds_that_are_learned_are_counted_beside_those_of_dropped_rows(tmp_path):
    folder = spoken_folder(tmp_path)
    lines = [f"clips/{number}.wav,word {number},{('train', 'valid', 'test')[number % 3]}" for number in range(2, 24)]
    lines += ["clips/0.wav,,train", "clips/1.wav,word 1,"]
    (folder / "metadata.csv").write_text("\n".join(["file_name,transcript,split", *lines]) + "\n")
    prepared = prepare(DataSettings(path=str(folder), leaks="allow", max_dropped=0.1), 0, task="speak")
    modality = Text().fit([record.input for record in prepared.records])
    encoded = modality.encode([record.input for record in prepared.records])
    settle(prepared, SimpleNamespace(records=prepared.records, encoded=encoded, modality=modality))
    assert prepared.ledger.seconds == pytest.approx(sum(0.2 + 0.01 * number for number in range(2, 24)))
    assert (prepared.ledger.seconds_cut, prepared.ledger.seconds_dropped) == (0.0, pytest.approx(0.2 + 0.21))


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


def test_targets_of_unequal_length_are_filled_up():
    records = [Record(str(i), tuple("abcde"[: i + 1]), label=("B-x",) * (i + 1)) for i in range(4)]
    part = encode(Text().fit(["a b c d e"]), Tag().fit(records), records)
    batch = part.batch(BatchPlan(np.array([2, 0]), 3))
    assert batch.targets["tags"].tolist() == [[0, 0, 0], [0, -1, -1]]
    assert batch.targets["spans"].tolist() == [[[0, 0, 0], [0, 1, 1], [0, 2, 2]], [[0, 0, 0], [-1] * 3, [-1] * 3]]
    assert batch.units.words.tolist() == [[0, 1, 2], [0, -1, -1]]
    longer = [*records[:3], Record("3", tuple("abcd"), label=("B-x",) * 3 + ("O",))]
    assert (
        encode(part.modality, Tag(labels=("B-x", "O")), longer).digest()
        != encode(part.modality, Tag(labels=("B-x", "O")), records).digest()
    )


def test_second_inputs_are_learned_from_and_stand_beside_the_first():
    records = [Record(str(i), "a b", target="c " * (i + 1), split="train") for i in range(12)]
    prepared = SimpleNamespace(split=lambda name: records if name == "train" else [], ledger=Ledger(read=12), more_tests=())
    material = gather(prepared, Text(), Translate(), 0)
    part = material.rows["train"]
    batch = part.batch(BatchPlan(np.array([11, 1]), 2))
    assert batch.other.mask.sum(1).tolist() == [12, 2] and batch.other.mask.shape == (2, 16)
    assert set(material.modality.decode(batch.other.ids[0][batch.other.mask[0]]).split()) == {"c"}
    other = [replace(record, target="d") for record in records]
    assert encode(part.modality, Translate(), other).digest() != part.digest()


def test_boxes_are_placed_on_the_grid_and_batches_are_varied_by_their_seed():
    """A modality that halves every box and adds noise."""
    from tests.contracts.doubles import Picture, Tag
    from zhuji.core.records import Box

    seen = []

    class Halving(Picture):
        def placed(self, record, encoded):
            return replace(record, label=tuple(replace(box, right=box.right / encoded.grid[1]) for box in record.label))

        def varied(self, batch, chance):
            return replace(batch, units=replace(batch.units, values=batch.units.values + torch.rand(1, generator=chance)))

    class Seeing(Tag):
        def targets(self, record):
            seen.append(record.label)
            return {"tags": torch.zeros(3, dtype=torch.int64)}

    inputs = Picture.example()[1]
    records = [Record(str(n), raw, label=(Box("a", 0, 0, 6, 6),)) for n, raw in enumerate(inputs)]
    rows = encode(Halving(), Seeing(), records)
    assert [label[0].right for label in seen] == [6 / raw.shape[1] for raw in inputs]
    plan = BatchPlan(np.arange(len(inputs)), 9)
    assert rows.batch(plan).units.values.shape == (4, 3, 3, 1)
    one, same, other = (rows.varied(plan, seed).units.values for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other) and not torch.equal(one, rows.batch(plan).units.values)


def test_two_views_are_two_variations_of_the_same_rows():
    modality, pictures = Image.example()
    modality = modality.with_files(modality.files()).model_copy(update={"variation": Variation(brightness=0.5, flip=0.5)})
    records = [Record(f"row-{i}", picture) for i, picture in enumerate(pictures)]
    rows = encode(modality, Contrast(views="varied"), records)
    plan = BatchPlan(np.arange(len(records)), 16)
    batch, again, one = rows.varied(plan, 5), rows.varied(plan, 5), replace(rows, twice=False).varied(plan, 5)
    assert torch.equal(batch.units.values, one.units.values) and one.other is None
    assert not torch.equal(batch.units.values, batch.other.values)
    assert torch.equal(batch.other.values, again.other.values)
    assert rows.batch(plan).other is None
