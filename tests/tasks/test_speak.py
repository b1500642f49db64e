from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import voiced
from tests.contracts import properties
from zhuji.backbones.recurrent import Recurrent
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownName
from zhuji.core.records import Record, Sound
from zhuji.core.units import UnitSpec
from zhuji.core.voices import Voice
from zhuji.data.sounds import as_wav
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, collate
from zhuji.tasks.speak import Speak

KINDS = ["durations", "attention"]


def model(kind: str = "durations") -> Model:
    return voiced.untaught(kind).model


def batch_of(rows: list[Record]):
    encoded = model().modality.encode([row.input for row in rows])
    return collate(model(), encoded, rows, max(row.length for row in encoded))


def test_targets_are_normalised_frames_and_who_speaks() -> None:
    task = model().task
    assert isinstance(task, Speak) and task.speakers == ("high", "low")
    found = [task.targets(row) for row in voiced.records(8)]
    every = torch.cat([one["frames"] for one in found])
    torch.testing.assert_close(every.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(every.std(0), torch.ones(12), atol=5e-3, rtol=0)
    assert [int(one["speaker"]) for one in found] == [1, 0] * 4
    assert all(int(one["spoken"]) == len(one["frames"]) for one in found)


def test_speakers_are_known_by_how_often_they_speak() -> None:
    rows = [replace(row, extra={"speaker": name}) for row, name in zip(voiced.records(6), "babacb", strict=True)]
    rows.append(replace(rows[0], extra={}))
    task = Speak(frames=voiced.FRAMING).fit(rows)
    assert task.speakers == ("b", "a", "c") and task.voices == task.speakers
    assert [task.voice_of(row) for row in rows[:2]] == ["b", "a"] and task.voice_of(rows[-1]) is None
    assert task.voice_of(replace(rows[0], extra={"speaker": "d"})) is None


def test_bands_that_hardly_change_are_not_blown_up() -> None:
    silent = replace(voiced.records(1)[0], target=Sound(data=as_wav(np.zeros(voiced.RATE), voiced.RATE)))
    assert Speak(frames=voiced.FRAMING).fit([silent]).deviation == pytest.approx([0.05] * 12)


@pytest.mark.parametrize("kind", KINDS)
def test_who_speaks_counts_while_it_is_learned(kind: str) -> None:
    batch = batch_of(voiced.records(4))
    other = replace(batch, targets={**batch.targets, "speaker": 1 - batch.targets["speaker"]})
    torch.manual_seed(0)
    with torch.no_grad():
        ours, theirs = (model(kind).outputs(one)["wrong"] for one in (batch, other))
    assert ((ours - theirs).abs() > 1e-4).all()


@pytest.mark.parametrize("promise", properties.EVERY, ids=lambda promise: promise.__name__)
def test_who_attends_keeps_every_promise(promise) -> None:
    example = Speak.example()
    task = Speak.parse({**example.task.plain(), "kind": "attention", "prenet": 5})
    promise(properties.Cell.of(Text.example(), Recurrent.example(), replace(example, task=task)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_that_is_too_short_or_too_long_teaches_nothing_and_is_told(kind: str) -> None:
    rows = voiced.records(3)
    short = replace(rows[1], target=Sound(data=as_wav(np.zeros(64), voiced.RATE)))
    long = replace(rows[2], target=Sound(data=as_wav(np.zeros(voiced.RATE * 21), voiced.RATE)))
    whole, alone = batch_of([rows[0], short, long]), batch_of(rows[:1])
    with torch.no_grad():
        ours, wanted = model(kind).loss(whole), model(kind).loss(alone)
    assert float(ours.total) == pytest.approx(float(wanted.total), rel=1e-5) and float(ours.count) == float(wanted.count)
    assert whole.targets["spoken"][2] == 0, "however short its text is"
    columns = model(kind).task.evidence(model(kind).outputs(whole), whole)
    assert columns["unfit"].tolist() == [0, 1, 1] and columns["terms"][1:].tolist() == [0, 0]
    assert model(kind).task.warnings({"unfit": 0.5}) and not model(kind).task.warnings({"unfit": 0.0})


@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_evidence_are_what_the_parts_say(kind: str) -> None:
    batch = batch_of(voiced.records(4))
    with torch.no_grad():
        task, outputs = model(kind).task, model(kind).outputs(batch)
    assert isinstance(task, Speak)
    total = outputs["error"] + task.alignment * outputs["apart"] + task.timing * outputs["timing"]
    loss = task.loss(outputs, batch)
    assert float(loss.total) == pytest.approx(float(total.sum())) and float(loss.count) == float(batch.targets["spoken"].sum())
    columns = task.evidence(outputs, batch)
    assert task.metrics()["frame_error"](columns) == pytest.approx(float(outputs["wrong"].sum() / loss.count))
    assert task.metrics()["alignment"](columns) == pytest.approx(float(outputs["apart"].sum() / loss.count))
    assert [told.answer for told in task.decode(outputs)] == outputs["seconds"].tolist()
    late = float((columns["late"]).sum() / columns["lasting"].sum())
    assert task.metrics()["duration_error"](columns) == pytest.approx(late)
    assert columns["lasting"] == pytest.approx(batch.targets["spoken"].numpy() * voiced.FRAMING.seconds)
    assert set(columns) >= {name for metric in task.metrics().values() for name in metric.columns}
    assert task.notes().keys() <= task.metrics().keys() and task.loops == (kind == "attention")


@pytest.mark.parametrize("kind", KINDS)
def test_every_unit_is_said_once_and_in_order(kind: str) -> None:
    units = batch_of(voiced.records(4)).units
    with torch.no_grad():
        found = model(kind).task.said(model(kind).encoder, model(kind).head, units, Voice())
    assert found.durations[units.mask].min() >= 1 and not found.durations[~units.mask].any()
    assert found.real.sum(1).tolist() == found.durations.sum(1).tolist()
    assert torch.equal(found.durations, model(kind).answers(units)["durations"])
    assert found.frames.shape == (*found.real.shape, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_speed_scales_durations_and_the_speaker_changes_what_is_heard(kind: str) -> None:
    units = batch_of(voiced.records(4)).units

    def frames(**voice):
        with torch.no_grad():
            return model(kind).task.said(model(kind).encoder, model(kind).head, units, Voice(**voice))

    plain, slow = frames(), frames(speed=0.5)
    ratio = slow.durations.sum() / plain.durations.sum()
    assert 1.8 < ratio < 2.2
    assert torch.equal(frames(speaker="high").frames, plain.frames)
    other = frames(speaker="low")
    assert other.frames.shape != plain.frames.shape or not torch.allclose(other.frames, plain.frames)
    with pytest.raises(UnknownName, match="high, low"):
        frames(speaker="nobody")


@pytest.mark.parametrize(("hidden", "width"), [(None, 2 * 17), (37, 37)])
def test_the_feedforward_part_is_as_wide_as_asked_for(hidden: int | None, width: int) -> None:
    head = Speak(width=17 * 2, layers=1, heads=1, hidden=hidden).head(UnitSpec(grid_ndim=1, num_ids=5), 8)
    assert width in {side for parameter in head.parameters() for side in parameter.shape}


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ImpossiblePair):
        Speak().head(UnitSpec(grid_ndim=2, num_values=1), 8)
    with pytest.raises(BadSetting):
        Speak(heads=3).head(UnitSpec(grid_ndim=1, num_ids=5), 8)
    for wrong in (
        {"mean": [0.0]},
        {"mean": [0.0], "deviation": [1.0]},
        {"frames": {"bands": 2}, "mean": [0.0, 0.0], "deviation": [1.0, 0.0]},
    ):
        with pytest.raises(BadSetting):
            Speak.parse(wrong, "task")
