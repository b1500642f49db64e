"""Which test pictures and sounds are kept for a report, against what one counts by hand."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import voiced
from tests.serving import made
from zhuji.core.answers import Waves
from zhuji.core.contracts import Prediction
from zhuji.core.files import read_json
from zhuji.core.records import Box, Picture, Record, Sound
from zhuji.data import sounds
from zhuji.model.bundle import open_bundle
from zhuji.model.draw import DrawSettings, drawn
from zhuji.model.speak import SpeakSettings, spoken
from zhuji.tasks.classify import Classify
from zhuji.tasks.next_unit import NextUnit
from zhuji.tasks.transcribe import Transcribe
from zhuji.tasks.vocode import Vocode
from zhuji.training.gallery import (
    BOXED_SIDE,
    MOST,
    MOST_BOXED,
    MOST_HEARD,
    MOST_SAID,
    SECONDS,
    SIDE,
    write,
    write_drawn,
    write_said,
)

CLASSES = ("cat", "dog")
TASK = Classify().fit([Record(name, "", label=name) for name in CLASSES])


def picture(size: tuple[int, int] = (8, 6), shade: int = 100) -> Picture:
    file = io.BytesIO()
    Image.new("RGB", size, (shade, 20, 200)).save(file, "PNG")
    return Picture(data=file.getvalue())


def record(number: int, label: Any, given: Picture | Sound | None = None) -> Record:
    return Record(f"row-{number}", given or picture(), label=label)


def kept(folder: Path) -> list[dict[str, Any]]:
    return read_json(folder / "rows.json")


def found(label: str, box: tuple[float, ...], score: float = 0.9) -> dict[str, Any]:
    return {"label": label, "score": score, "box": list(box)}


def test_the_surest_mistakes_come_first_and_right_answers_not_at_all(tmp_path: Path) -> None:
    records = [record(0, "cat"), record(1, "cat"), record(2, "dog"), record(3, "dog")]
    answers = [Prediction("dog", 0.6), Prediction("cat", 0.99), Prediction("cat", 0.8), Prediction("cat", 0.7)]
    write(tmp_path / "g", records, answers, TASK)
    rows = kept(tmp_path / "g")
    assert [(row["id"], row["label"], row["answer"], row["score"]) for row in rows] == [
        ("row-2", "dog", "cat", 0.8), ("row-3", "dog", "cat", 0.7), ("row-0", "cat", "dog", 0.6)
    ]  # fmt: skip
    with Image.open(tmp_path / "g" / rows[0]["file"]) as image:
        assert image.format == "PNG" and np.asarray(image.convert("RGB"))[0, 0].tolist() == [100, 20, 200]


@pytest.mark.parametrize("task", [Vocode(), NextUnit()])
def test_numbers_that_are_no_guesses_are_no_mistakes(tmp_path: Path, task: Any) -> None:
    """An error beside a column of numbers, which nobody asked for."""
    heard = Sound(data=sounds.as_wav(np.full(4_000, 0.1), 8_000))
    write(tmp_path / "g", [record(0, 3.0, heard)], [Prediction(0.5)], task)
    assert not (tmp_path / "g").exists()


def test_sets_of_classes_and_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a", [record(0, ("cat", "dog")), record(1, ("dog",)), record(2, ())],
          [Prediction(("dog", "cat"), 0.9), Prediction((), 0.4), Prediction(("cat",), 0.8)], TASK)  # fmt: skip
    assert [row["id"] for row in kept(tmp_path / "a")] == ["row-2", "row-1"]
    write(
        tmp_path / "b",
        [record(0, 1.0), record(1, 2.0), record(2, 3.0)],
        [Prediction(1.5), Prediction(2.0), Prediction(-3.0)],
        TASK,
    )
    assert [(row["id"], row["score"]) for row in kept(tmp_path / "b")] == [("row-2", 6.0), ("row-0", 0.5)]


def test_the_gallery_is_bounded_in_rows_and_pixels(tmp_path: Path) -> None:
    large = picture((900, 300))
    write(tmp_path / "g", [record(i, "cat", large) for i in range(MOST + 9)], [Prediction("dog", 0.5)] * (MOST + 9), TASK)
    rows = kept(tmp_path / "g")
    assert len(rows) == MOST and rows[0]["size"] == [900, 300]
    with Image.open(tmp_path / "g" / rows[0]["file"]) as image:
        assert image.size == (SIDE, SIDE // 3) and image.format == "JPEG"
    assert sum(path.stat().st_size for path in (tmp_path / "g").iterdir()) < 100_000


def test_objects_are_counted_and_pictures_go_from_the_worst_to_the_best(tmp_path: Path) -> None:
    boxes = [Box("cat", 10, 10, 50, 50), Box("dog", 60, 60, 90, 90)]
    right = [found("cat", (11, 10, 50, 50)), found("dog", (60, 60, 90, 90), 0.8)]
    # Another class in the right place, the right class beside its object, and the same object twice.
    wrong = [
        found("dog", (10, 10, 50, 50)),
        found("dog", (90, 60, 120, 90)),
        found("cat", (10, 10, 50, 50)),
        found("cat", (12, 12, 50, 50), 0.3),
    ]
    big = picture((960, 480))
    records = [record(0, tuple(boxes), big), record(1, tuple(boxes), big), record(2, tuple(boxes), big), record(3, (), big)]
    answers = [Prediction(tuple(right)), Prediction(tuple(wrong)), Prediction(()), Prediction(())]
    write(tmp_path / "g", records, answers, TASK)
    assert [(row["id"], row["counts"]) for row in kept(tmp_path / "g")] == [
        ("row-1", [1, 1, 3]), ("row-2", [0, 2, 0]), ("row-0", [2, 0, 0]), ("row-3", [0, 0, 0]),
    ]  # fmt: skip
    row = kept(tmp_path / "g")[0]
    assert row["label"][0] == {"label": "cat", "box": [10, 10, 50, 50]} and row["size"] == [960, 480]
    with Image.open(tmp_path / "g" / row["file"]) as image:
        assert image.size == (BOXED_SIDE, BOXED_SIDE // 2)


def test_of_many_pictures_with_objects_the_ends_are_kept(tmp_path: Path) -> None:
    rows = [record(i, tuple(Box("cat", 9 * n, 0, 9 * n + 8, 8) for n in range(i))) for i in range(20)]
    write(tmp_path / "g", rows, [Prediction(())] * 20, TASK)
    assert [row["counts"][1] for row in kept(tmp_path / "g")] == [19, 15, 11, 8, 4, 0]
    assert len(kept(tmp_path / "g")) == MOST_BOXED


def test_objects_of_a_class_that_training_never_met_are_not_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "g", [record(0, (Box("owl", 0, 0, 5, 5),))], [Prediction(())], TASK)
    assert kept(tmp_path / "g")[0]["counts"] == [0, 0, 0]


@pytest.mark.parametrize(
    "answers", [[Prediction("cat", 0.9)], [Prediction((0.5, 0.25))], [Prediction(None)]], ids=["right", "a vector", "nothing"]
)
def test_where_there_is_nothing_to_show_there_is_no_folder(tmp_path: Path, answers: list[Prediction]) -> None:
    write(tmp_path / "g", [record(0, "cat")], answers, TASK)
    write(tmp_path / "g", [], [], TASK)
    write(tmp_path / "g", [record(0, ())], [Prediction(())], TASK)
    assert not (tmp_path / "g").exists()


def test_a_picture_that_is_gone_leaves_its_row(tmp_path: Path) -> None:
    write(tmp_path / "g", [record(0, "cat", Picture(str(tmp_path / "gone.png")))], [Prediction("dog", 0.9)], TASK)
    (row,) = kept(tmp_path / "g")
    assert (row["file"], row["size"], row["answer"]) == (None, None, "dog")


def test_what_a_model_draws_stands_class_by_class(tmp_path: Path) -> None:
    model = open_bundle(made.of_task("generate")).model
    write_drawn(tmp_path / "gallery", model)
    rows = kept(tmp_path / "gallery")
    assert [row["label"] for row in rows] == [name for name in "abc" for _ in range(4)]
    assert all(row["drawn"] and row["answer"] is None for row in rows)
    expected = drawn(model, DrawSettings(count=12))
    for row in rows:
        number = int(row["id"]) - 1
        assert row["label"] == "abc"[number % 3]
        with Image.open(tmp_path / "gallery" / row["file"]) as image:
            assert image.size == tuple(row["size"])
            assert np.array_equal(np.asarray(image).reshape(expected[number].shape), expected[number])


def tone(seconds: float, hertz: float) -> Sound:
    return Sound(data=sounds.as_wav(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 8_000)) / 8_000), 8_000))


def test_a_sound_is_kept_with_a_picture_of_it(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    records = [Record("low", tone(1.0, 200), label="cat"), Record("gone", Sound(str(tmp_path / "gone.wav")), label="cat")]
    records += [Record("right", tone(0.5, 300), label="dog"), Record("long", tone(SECONDS + 5, 2_000), label="cat")]
    answers = [Prediction("dog", 0.9), Prediction("dog", 0.8), Prediction("dog", 0.99), Prediction("dog", 0.7)]
    write(tmp_path / "g", records, answers, TASK)
    low, gone, long = kept(tmp_path / "g")
    assert (low["id"], low["label"], low["answer"], low["size"]) == ("low", "cat", "dog", None)
    assert (tmp_path / "g" / low["sound"]).read_bytes() == sounds.read_bytes(records[0].input), "as it was"
    assert (gone["file"], gone["sound"]) == (None, None)
    assert sounds.header(Sound(str(tmp_path / "g" / long["sound"]))).seconds == pytest.approx(SECONDS, abs=0.01)
    rows = []
    for one in (low, long):
        with Image.open(tmp_path / "g" / one["file"]) as image:
            rows.append(int(np.asarray(image.convert("L")).mean(1).argmin()))
    assert rows[0] > 65 > 50 > rows[1], "low tones stand at the bottom, dark on white"


def test_transcripts_from_the_worst_to_the_best(tmp_path: Path) -> None:
    pytest.importorskip("jiwer")
    said = ["one two", "Three, four.", "five"]
    records = [Record(f"row-{i}", tone(0.1, 300), target=text) for i, text in enumerate(said)]
    answers = [Prediction("one tw", 0.5), Prediction("three four", 0.9), Prediction("", None)]
    write(tmp_path / "g", records, answers, Transcribe().fit(records))
    told = [(row["id"], row["label"], row["answer"], row["edits"]) for row in kept(tmp_path / "g")]
    assert told == [("row-2", "five", "", 4), ("row-0", "one two", "one tw", 1), ("row-1", "Three, four.", "three four", 0)]
    write(tmp_path / "many", records * 20, answers * 20, Transcribe().fit(records))
    many = kept(tmp_path / "many")
    assert len(many) == MOST_HEARD and (many[0]["edits"], many[-1]["edits"]) == (4, 0)


def cleaned(gain: float, seed: int) -> Prediction:
    """An answer that took so much of the noise away."""
    random = np.random.default_rng(seed)
    wanted, noise = (random.standard_normal(4_000).astype(np.float32) * 0.1 for _ in range(2))
    return Prediction([0.1], waves=Waves(wanted + (1 - gain) * noise, wanted + noise, wanted, rate=8_000))


def test_cleaned_sounds_stand_before_and_after(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    gains = (0.9, 0.1, 0.5)
    records = [Record(f"row-{i}", tone(0.5, 300)) for i in range(3)]
    write(tmp_path / "g", records, [cleaned(gain, i) for i, gain in enumerate(gains)], TASK)
    rows = kept(tmp_path / "g")
    assert [(row["id"], row["part"]) for row in rows] == [
        (f"row-{i}", part) for i in (1, 2, 0) for part in ("given", "sound", "wanted")
    ]
    told = [row["score"] for row in rows[6:]]
    assert told[0] == pytest.approx(0, abs=0.6) and told[1] == pytest.approx(20, abs=0.6) and told[2] is None
    heard = sounds.samples(Sound(str(tmp_path / "g" / rows[8]["sound"])), 8_000).samples
    assert np.abs(heard - cleaned(0.9, 0).waves.wanted).max() < 1e-4


def foreseen(records: list[Record], *off: float) -> list[Prediction]:
    """Answers that are wrong by these shares of the recordings."""
    lasting = [sounds.header(record.target).seconds for record in records]
    return [Prediction(seconds * (1 + share)) for seconds, share in zip(lasting, off, strict=True)]


def test_texts_stand_as_recorded_and_as_said_by_who_recorded_them(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    records = voiced.records(6)
    answers = foreseen(records, 0.1, -0.5, 0.3, 0.0, 0.2, 0.4)
    write_said(tmp_path / "g", voiced.untaught(), records, answers)
    rows = kept(tmp_path / "g")
    # Six in order of their mistakes are 1, 5, 2, 4, 0, 3: even steps are the first, third, fourth and last.
    assert [(row["id"], row["part"]) for row in rows] == [
        (f"row-{i}", part) for i in (1, 2, 4, 3) for part in ("recorded", "said")
    ]
    for recorded, said in zip(rows[::2], rows[1::2], strict=True):
        record = records[int(recorded["id"].removeprefix("row-"))]
        assert recorded["label"] == said["label"] == record.input
        assert (tmp_path / "g" / recorded["sound"]).read_bytes() == sounds.read_bytes(record.target), "as it was"
        (wanted,) = spoken(voiced.untaught(), [record.input], SpeakSettings(speaker=record.extra["speaker"]))
        heard = sounds.samples(Sound(str(tmp_path / "g" / said["sound"])), voiced.RATE).samples
        assert np.abs(heard - wanted.samples).max() < 1e-3 and said["score"] == pytest.approx(wanted.seconds, abs=1e-3)
        assert recorded["score"] == pytest.approx(len(voiced.said(record.input)) / voiced.RATE, abs=1e-3)
    write_said(tmp_path / "many", voiced.untaught(), records * 3, answers * 3)
    assert len(kept(tmp_path / "many")) == 2 * MOST_SAID


def test_a_speaker_whom_training_never_met_is_said_by_the_first(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    (record,) = voiced.records(1)
    stranger = replace(record, extra={"speaker": "nobody"})
    write_said(tmp_path / "g", voiced.untaught(), [stranger], [Prediction(1.0)])
    (wanted,) = spoken(voiced.untaught(), [record.input])
    assert kept(tmp_path / "g")[1]["score"] == pytest.approx(wanted.seconds, abs=1e-3)


def test_what_is_long_gone_or_cannot_be_said_is_left_out(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    first, second, third, fourth, fifth = voiced.records(5)
    records = [
        replace(first, target=Sound(str(tmp_path / "gone.wav"))), replace(second, input="naïve"), replace(third, target=tone(SECONDS + 1, 300)), fourth, fifth,
    ]  # fmt: skip
    answers = [Prediction(1.0), Prediction(1.0), Prediction(1.0), Prediction(SECONDS + 1), Prediction(1.0)]
    write_said(tmp_path / "g", voiced.untaught(), records, answers)
    assert [row["id"] for row in kept(tmp_path / "g")] == ["row-4", "row-4"]
    write_said(tmp_path / "none", voiced.untaught(), records[:4], answers[:4])
    assert not (tmp_path / "none").exists()


def test_what_is_kept_of_a_voice_is_bounded(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    noise = np.random.default_rng(0).uniform(-1, 1, int(48_000 * (SECONDS - 0.1)))
    loud = Sound(data=sounds.as_wav(noise, 48_000))
    records = [replace(record, target=loud) for record in voiced.records(5)]
    write_said(tmp_path / "g", voiced.untaught(), records, [Prediction(1.0)] * 5)
    rows = kept(tmp_path / "g")
    sizes = [sum((tmp_path / "g" / row[name]).stat().st_size for name in ("file", "sound")) for row in rows]
    # In base64, as a page holds them; what was said could be as large as what was recorded.
    assert len(rows) == 2 * MOST_SAID and len(rows) * max(sizes) * 4 / 3 < 3.8e6
