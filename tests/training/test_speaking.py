"""A voice from a folder of recordings to WAV files: trained, scored, opened again, asked."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import zhuji
from tests import voiced
from tests.trained import folder
from zhuji.core.errors import MissingColumn, NoRole
from zhuji.core.files import read_json
from zhuji.core.records import Sound
from zhuji.data.prepare import prepare
from zhuji.data.settings import DataSettings
from zhuji.model.speak import SpeakSettings, spoken

SETS = [
    "task.name=speak", "task.frames.rate=4000", "task.frames.window=0.032", "task.frames.hop=0.016", "task.frames.bands=12", "task.layers=1", "task.heads=2",
    "task.window=3", "task.dropout=0", "modality.tokenizer=characters", "modality.ngrams=1", "modality.weigh=false", "modality.wrap=both", "backbone.name=conformer", "backbone.width=32", "backbone.layers=1",
    "backbone.heads=2", "backbone.window=3", "backbone.subsample=1", "backbone.dropout=0", "data.leaks=allow", "train.steps=150", "train.batch_rows=16",
    "train.optim.lr=0.01", "train.evaluate_every=100", "train.rehearse=false", "train.threads=1", "train.precision=fp32", "evaluate.bootstrap=20",
]  # fmt: skip


@cache
def data() -> Path:
    return voiced.recordings(folder() / "recordings", 40)


@cache
def learned() -> zhuji.Result:
    return zhuji.train(data(), run_dir=folder() / "voice-run", sets=SETS)


def test_a_voice_learns_how_long_each_letter_is_said() -> None:
    predictor = zhuji.load(learned().run).predictor
    text = "abcd dcba"
    (one,) = spoken(predictor, [text], SpeakSettings(steps=2))
    wanted = np.array([voiced.FRAMES[sign] for sign in text])
    # Few texts: where a letter ends is learned roughly, how long the whole takes better.
    assert np.abs(one.durations[1:-1] - wanted).mean() < 3 and abs(one.durations.sum() - wanted.sum()) <= 8
    assert learned().test["frame_error"]["value"] < 0.2
    assert learned().test["duration_error"]["value"] < 0.1 and learned().test["unfit"]["value"] == 0


def test_the_run_keeps_what_its_report_plays() -> None:
    rows = read_json(learned().run / "gallery" / "rows.json")
    assert [row["part"] for row in rows] == ["recorded", "said"] * 4
    # Taught well enough for a text to last as long as it was recorded.
    assert all(abs(said["score"] - recorded["score"]) < 0.3 for recorded, said in zip(rows[::2], rows[1::2], strict=True))


def test_the_same_score_from_the_run_and_from_the_folder() -> None:
    own = zhuji.evaluate(learned().run)
    assert own.scores["frame_error"].value == pytest.approx(learned().test["frame_error"]["value"], rel=1e-6)
    on_data = zhuji.evaluate(learned().run, data())
    assert on_data.rows == 40 and on_data.scores["frame_error"].value < 1.0


def test_answers_are_seconds() -> None:
    (row,) = zhuji.predict(learned().run, ["abcd dcba"])
    assert row.prediction.answer == pytest.approx(sum(voiced.FRAMES[sign] for sign in "abcd dcba") * 0.016, rel=0.15)


def test_a_table_without_recordings_cannot_be_scored(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("transcript\nab cd\n")
    with pytest.raises(MissingColumn, match="file_name"):
        zhuji.evaluate(learned().run, tmp_path / "texts.csv")


def test_rows_are_texts_whose_sentences_stay_together_and_who_speaks_is_told(tmp_path: Path) -> None:
    place = tmp_path / "recordings"
    shutil.copytree(data(), place)
    (place / "clips" / "3.wav").write_bytes(b"RIFF no sound at all")
    settings = DataSettings(path=str(place), max_dropped=0.1)
    found = prepare(settings, 0, task="speak")
    assert (found.roles.text, found.roles.recording, found.roles.group) == (("transcript",), "file_name", "transcript")
    assert found.roles.sound is None and found.roles.target is None and found.roles.files is None
    assert len(found.records) == 39 and found.ledger.total("dropped") == 1
    first = found.records[0]
    assert first.input == voiced.texts(1)[0] and isinstance(first.target, Sound) and first.extra["speaker"] == "a"
    given = prepare(settings.model_copy(update={"group": "speaker", "leaks": "allow"}), 0, task="speak")
    assert given.roles.group == "speaker" and "speaker" not in given.records[0].extra


def test_rows_without_sounds_teach_no_voice(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("source,target\n" + "".join(f"ab {n},cd {n}\n" for n in range(30)))
    with pytest.raises(NoRole, match="sound"):
        prepare(DataSettings(path=str(tmp_path / "pairs.csv")), 0, task="speak")
