from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from zhuji.core.answers import About, Prediction
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownName
from zhuji.core.records import Box, Record
from zhuji.core.units import Batch, Features, Units, UnitSpec
from zhuji.model.assembly import stacked
from zhuji.nn.boxes import iou
from zhuji.tasks.detect import Detect

KINDS = ("cell", "scales")


def fitted(**settings):
    task, records = Detect.example().task, Detect.example().records
    return type(task).parse({**task.plain(), **settings}), records


def batch_of(task, records, size=(6, 8)):
    mask = torch.ones(len(records), *size, dtype=torch.bool)
    values = torch.randn(len(records), *size, 3, generator=torch.Generator().manual_seed(0))
    return Batch(Units(mask, values=values), stacked([task.targets(record) for record in records]))


class Through:
    """An encoder that hands the values on."""

    def __call__(self, units, corrupt=None):
        return Features(units.values, units.mask)


def learned(task, batch, steps):
    torch.manual_seed(0)
    head = task.head(UnitSpec(2, num_values=3), 3)
    optimiser = torch.optim.Adam(head.parameters(), 0.01)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = task.loss(task.outputs(Through(), head, batch), batch).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return head.eval(), losses


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow) if kind == "scales" else kind for kind in KINDS])
def test_it_finds_what_it_was_shown(kind):
    """Squares whose inside has a colour of its own, a class each: found again, with their boxes. Cells of an eighth: tolerance IoU 0.5."""
    task, _ = fitted(kind=kind, width=16, side=0.3, sides=(0.2, 0.5), threshold=0.3)
    boxes = [(Box("a", 0.0, 0.0, 0.375, 0.375), Box("b", 0.5, 0.5, 1.0, 1.0)), (Box("b", 0.125, 0.5, 0.5, 0.875),), ()]
    records = [Record(f"{n}", "", label=found) for n, found in enumerate(boxes)]
    batch = batch_of(task, records, (16, 16))
    values = torch.zeros(3, 16, 16, 3)
    for row, found in enumerate(boxes):
        for box in found:
            x0, y0, x1, y1 = (round(16 * side) for side in (box.left, box.top, box.right, box.bottom))
            values[row, y0:y1, x0:x1, "ab".index(box.label)] = 1.0
            values[row, y0:y1, x0:x1, 2] = torch.linspace(0, 1, x1 - x0)
    batch = Batch(Units(batch.units.mask, values=values), batch.targets)
    head, losses = learned(task, batch, 80)
    assert losses[-1] < losses[0] / 2
    outputs = task.outputs(Through(), head, batch)
    evidence = task.evidence(outputs, batch)
    assert task.metrics()["map50"](evidence) > 0.9
    for answer, found in zip(task.decode(outputs), boxes, strict=True):
        for box in found:
            best = max((one for one in answer.answer if one["label"] == box.label), key=lambda one: one["score"])
            assert iou(torch.tensor(best["box"]), torch.tensor([box.left, box.top, box.right, box.bottom])) > 0.5
    assert task.decode(outputs)[2].answer == ()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_without_an_object_teach_that_nothing_is_there(kind):
    task, _ = fitted(kind=kind)
    batch = batch_of(task, [Record("0", "", label=()), Record("1", "", label=())])
    assert batch.targets["boxes"].shape == (2, 0, 4)
    head, losses = learned(task, batch, 5)
    assert losses[-1] < losses[0]
    loss = task.loss(task.outputs(Through(), head, batch), batch)
    assert loss.count == 2 and loss.total > 0
    assert np.isnan(task.metrics()["map50"](task.evidence(task.outputs(Through(), head, batch), batch)))


@pytest.mark.parametrize("kind", KINDS)
def test_three_hundred_objects(kind):
    task, _ = fitted(kind=kind)
    corner = np.random.default_rng(0).uniform(0, 0.9, (300, 2))
    many = tuple(Box("abc"[n % 3], x, y, x + 0.08, y + 0.08) for n, (x, y) in enumerate(corner.tolist()))
    batch = batch_of(task, [Record("0", "", label=many), Record("1", "", label=())])
    head, _ = learned(task, batch, 1)
    outputs = task.outputs(Through(), head, batch)
    assert task.loss(outputs, batch).total.isfinite()
    evidence = task.evidence(outputs, batch)
    assert evidence["objects"].tolist() == [[100, 100, 100], [0, 0, 0]]
    assert evidence["scores"].shape == (2, 100)


def test_the_loss_counts_objects_and_pictures():
    task, records = fitted()
    batch = batch_of(task, records)
    head, _ = learned(task, batch, 1)
    assert task.loss(task.outputs(Through(), head, batch), batch).count == 8 + sum(n % 4 for n in range(8))


def test_a_class_that_training_never_met_is_not_asked_for():
    task, _ = fitted()
    found = task.targets(Record("0", "", label=(Box("z", 0, 0, 1, 1), Box("b", 0, 0, 0.5, 0.5))))
    assert found["classes"].tolist() == [1] and found["boxes"].tolist() == [[0, 0, 0.5, 0.5]]


def outputs_of(boxes, logits):
    boxes, logits = torch.tensor([boxes]), torch.tensor([logits])
    return {"boxes": boxes, "places": boxes, "logits": logits, "real": torch.ones(boxes.shape[:2], dtype=torch.bool)}


def test_answers_by_hand():
    """The second lies on the first and goes; the third has another class and stays; the fourth is unsure; the fifth reaches out of the picture."""
    task, _ = fitted(threshold=0.5, overlap=0.5)
    boxes = [[0.0, 0, 0.5, 0.5], [0.0, 0, 0.5, 0.45], [0.0, 0, 0.5, 0.5], [0.6, 0.6, 0.7, 0.7], [0.8, -0.2, 1.3, 0.5]]
    logits = [[3.0, -9, -9], [2.0, -9, -9], [-9, 1.0, -9], [-9, -9, -1.0], [-9, -9, 0.5]]
    (found,) = task.decode(outputs_of(boxes, logits))
    assert [one["label"] for one in found.answer] == ["a", "b", "c"]
    assert found.answer[2]["box"] == pytest.approx([0.8, 0, 1, 0.5])
    assert [one["score"] for one in found.answer] == pytest.approx(torch.tensor([3.0, 1.0, 0.5]).sigmoid().tolist())
    assert found.scores is not None and found.scores["c"] == pytest.approx(float(torch.tensor(0.5).sigmoid()))
    assert json.loads(json.dumps(found.answer))


def test_no_more_answers_than_are_asked_for():
    task, _ = fitted(most=3, least=0.01)
    boxes = [[n / 10, 0.0, n / 10 + 0.05, 0.1] for n in range(8)]
    (found,) = task.decode(outputs_of(boxes, [[float(n), -9.0, -9.0] for n in range(8)]))
    assert [one["box"][0] for one in found.answer] == pytest.approx([0.7, 0.6, 0.5])


def test_padding_is_never_an_answer():
    task, _ = fitted()
    outputs = outputs_of([[0.0, 0, 0.5, 0.5]], [[5.0, 5.0, 5.0]])
    (found,) = task.decode({**outputs, "real": torch.zeros(1, 1, dtype=torch.bool)})
    assert found.answer == () and found.scores == {"a": 0.0, "b": 0.0, "c": 0.0}


def test_units_must_lie_on_a_plane():
    with pytest.raises(ImpossiblePair):
        fitted()[0].head(UnitSpec(1, num_ids=5), 4)


@pytest.mark.parametrize(
    "bad", [{"sides": [0.5, 0.1]}, {"sides": [0.0, 0.5]}, {"labels": ["a", "a"]}, {"threshold": 0.001, "least": 0.01}], ids=str
)
def test_settings_that_do_not_agree(bad):
    with pytest.raises(BadSetting):
        Detect.parse(bad)


def test_fitting_counts_objects():
    task, _ = fitted()
    assert task.classes == ("a", "b", "c") and sum(task.counts) == sum(n % 4 for n in range(8))
    assert isinstance(task.head(UnitSpec(2, num_values=3), 4), nn.Module)
    assert task.reading()["kind"] == "boxes"


# ----------------------------------------------------------------------------------------------- a run, end to end

NOTE = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def write_scenes(root, rows=18):
    """Photographs 64 wide and 48 high, with red and blue squares of 16 pixels, as VOC writes them; every sixth is empty."""
    from PIL import Image

    chance = np.random.default_rng(0)
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    splits = {"train": [], "val": [], "test": []}
    for number in range(rows):
        pixels = chance.normal(110, 12, (48, 64, 3))
        notes = []
        for place in chance.permutation(12)[: 0 if number % 6 == 5 else 2]:
            label, colour = (("red", (220, 40, 40)), ("blue", (40, 40, 220)))[chance.integers(2)]
            y, x = divmod(int(place), 4)
            pixels[16 * y : 16 * y + 16, 16 * x : 16 * x + 16] = colour
            notes.append(NOTE.format(label, 16 * x + 1, 16 * y + 1, 16 * x + 16, 16 * y + 16))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f"JPEGImages/p{number:02}.png")
        (root / f"Annotations/p{number:02}.xml").write_text(f"<annotation>{''.join(notes)}</annotation>")
        splits[("train", "train", "val", "test")[number % 4]].append(f"p{number:02}")
    for split, names in splits.items():
        (root / f"ImageSets/Main/{split}.txt").write_text("\n".join(names))
    return root


FAST = (
    "modality={name: image, size: [24, 32], variation: {flip: 0.5, shift: 2, brightness: 0.1}}",
    "backbone={name: resnet, blocks: [1, 1], widths: [8, 16]}", "task={name: auto, width: 16, depth: 1, side: 0.3, places: 4}",
    "train.batch_rows=3", "train.optim.lr=0.02", "train.rehearse=false", "train.precision=fp32", "train.threads=1",
    "evaluate.bootstrap=20", "evaluate.golden_rows=4", "train.evaluate_every=10",
)  # fmt: skip


def test_from_photographs_with_marks_to_answers(tmp_path):
    """Nothing of it knows detection but the task: the loop, the report, the gate and the answers are those of every other."""
    import zhuji

    data = write_scenes(tmp_path / "scenes")
    zhuji.train(data, epochs=20, run_dir=tmp_path / "run", sets=FAST)
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["test"]["map50"]["value"] > 0.6
    assert {row["label"]: row["support"] for row in results["per_class"]}.keys() == {"blue", "red"}
    assert all(0 <= row["ap50_95"] <= row["ap50"] <= 1 for row in results["per_class"])
    parity = json.loads((tmp_path / "run/parity.json").read_text())["hops"]
    assert parity and all(hop["passed"] for hop in parity)
    model = zhuji.load(tmp_path / "run")
    pictures = sorted((data / "JPEGImages").glob("*.png"))
    for answer in model.predict([str(path) for path in pictures]):
        for one in answer.answer:
            assert one["label"] in ("red", "blue") and 0.4 <= one["score"] <= 1
            left, top, right, bottom = one["box"]
            assert 0 <= left < right <= 64 and 0 <= top < bottom <= 48, "pixels of the photograph, not of the grid"


def test_an_object_is_asked_for_by_rank_class_or_number():
    box = [0.0, 0.0, 0.5, 0.5]
    answer = Prediction(
        tuple({"label": label, "score": score, "box": box} for label, score in (("b", 0.9), ("a", 0.8), ("b", 0.7)))
    )
    task = Detect.example().task

    def number(asked):
        return [one.first for one in task.abouts(answer, asked)]

    assert (number(None), number("a"), number("b"), number("3"), number("c")) == ([0], [1], [0], [2], [])
    assert task.abouts(answer, "a")[0].box == tuple(box) and task.abouts(Prediction(())) == []
    for asked in ("4", "0", "-1", "cat"):
        with pytest.raises(UnknownName):
            task.abouts(answer, asked)


def test_how_much_an_object_is_said_to_stand_there():
    """The score of the class times the overlap, at the place where that is highest; places that are none do not count."""
    task = Detect.example().task
    where = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 1.0], [0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5]]])
    logits = torch.full((1, 4, 3), -20.0)
    logits[0, :, 1] = torch.tensor([0.0, 3.0, 9.0, 9.0])
    logits.requires_grad_()
    outputs = {"logits": logits, "boxes": where, "places": where, "real": torch.tensor([[True, True, True, False]])}
    spoken = task.spoken_for(outputs, About("b", box=(0.0, 0.0, 0.5, 0.5)))
    assert spoken.tolist() == pytest.approx([max(0.5, 0.5 / (1 + math.exp(-3.0)))])
    spoken.sum().backward()
    assert logits.grad is not None and logits.grad[0, 0, 1] > 0
    assert task.spoken_for(outputs, About("b", box=(0.5, 0.0, 1.0, 0.5))).item() == 0
