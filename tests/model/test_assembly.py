import numpy as np
import pytest
import torch

from tests.contracts import doubles
from tests.contracts.properties import Cell
from zhuji.backbones.bag import Bag
from zhuji.backbones.cnn import Cnn
from zhuji.backbones.recurrent import Recurrent
from zhuji.core.errors import ImpossiblePair
from zhuji.core.units import Features
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble, collate
from zhuji.tasks.classify import Classify
from zhuji.tasks.contrast import Contrast


def cell() -> Cell:
    return Cell.of(Text.example(), Bag(width=4), Classify.example())


@pytest.mark.parametrize(
    "modality, backbone, task, told",
    [
        (doubles.Picture(), Cnn.example(), doubles.Tag(), "grids of 2 axes"),
        (doubles.Cells(), doubles.Everywhere(), doubles.Next(), "look ahead"),
        (doubles.Cells(), doubles.Halving(), doubles.Tag(), "every unit"),
        (doubles.Cells(), Recurrent(directions=2), doubles.Next(), "one direction"),
        (doubles.Cells(), Bag(dropout=0.5), Contrast(), "dropout alone"),
    ],
)
def test_impossible_pairs(modality, backbone, task, told, monkeypatch):
    with pytest.raises(ImpossiblePair, match=told):
        assemble(modality, backbone, task)
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    with pytest.raises(ImpossiblePair) as caught:
        assemble(modality, backbone, task)
    assert any("\u4e00" <= character <= "\u9fff" for character in str(caught.value.facts["rule"]))


def test_parameters_are_counted_by_part():
    model = cell().model()
    counts = model.parameter_counts()
    assert counts["stem"] == model.modality.spec.num_ids * 4
    assert counts["body"] == 0
    assert model.parameter_count == sum(p.numel() for p in model.parameters()) == sum(counts.values())


def test_calling_the_model_gives_its_outputs():
    model, batch = cell().model(), cell().batch()
    assert torch.equal(model(batch), model.outputs(batch))
    assert torch.equal(model.loss(batch).total, model.task.loss(model(batch), batch).total)


def test_corruption_stands_between_stem_and_body():
    model, batch = cell().model(), cell().batch()
    seen: list[Features] = []

    def silence(features: Features) -> Features:
        seen.append(features)
        return Features(torch.zeros_like(features.states), features.mask)

    out = model.encoder(batch.units, silence)
    assert torch.equal(seen[0].states, model.encoder.stem(batch.units).states)
    assert not out.states.any()


def test_collate_pads_to_the_asked_length_and_stacks_targets():
    whole = cell()
    encoded = whole.encoded
    batch = collate(whole.model(), encoded[:3], whole.records[:3], 20)
    assert batch.units.mask.shape == (3, 20)
    assert batch.targets["label"].tolist() == [int(whole.task.targets(record)["label"]) for record in whole.records[:3]]


def test_collate_of_pictures_takes_the_largest_side_of_each_axis():
    pictures = Cell.of(doubles.Picture.example(), Bag(width=4), doubles.Tag.example())
    assert collate(pictures.model(), pictures.encoded, None, 99).units.mask.shape == (8, 3, 3)


def test_a_task_sees_boxes_on_the_grid():
    """A picture twice as wide as high, in the middle of a square: its right half begins at the middle, its top at a quarter."""
    from types import SimpleNamespace

    from zhuji.core.records import Box, Record
    from zhuji.modalities.image import Image, _written

    pictures = [_written(np.zeros((10, 20, 3), np.uint8))]
    modality = Image(size=(8, 8), resize="pad").fit(pictures)
    seen = []
    task = SimpleNamespace(needs="label", targets=lambda record: seen.append(record.label) or {})
    records = [Record("a", pictures[0], label=(Box("x", 10, 0, 20, 10),))]
    batch = collate(SimpleNamespace(modality=modality, task=task), modality.encode(pictures), records, 64)
    [(box,)] = seen
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.5, 0.25, 1.0, 0.75), abs=1e-6)
    assert batch.units.grid == (8, 8)
