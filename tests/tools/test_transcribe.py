from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.model.test_streaming import CONFORMER, RATE, cut, noise, predictor
from zhuji.core.answers import Timed
from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.core.records import Sound
from zhuji.core.unreadable import SoundError
from zhuji.data.sounds import as_wav
from zhuji.model.streaming import Partial, Windows
from zhuji.tools.transcribe import Listening, Transcript, refuse_unknown, transcribe

WINDOWS = Windows(chunk=1, left=0.3, right=0.3)


def test_a_file_its_bytes_and_its_samples_are_heard_alike(tmp_path: Path) -> None:
    samples = np.rint(noise(4.0) * 32_767).astype(np.int16)
    data = as_wav(samples / 32_767, RATE)
    (tmp_path / "a.wav").write_bytes(data)
    of = predictor()
    given = (
        tmp_path / "a.wav",
        str(tmp_path / "a.wav"),
        data,
        Sound(data=data),
        cut(samples, 800),
        cut(samples.astype(np.float64) / 32_768, 77),
    )
    found = [transcribe(of, source, WINDOWS).whole() for source in given]
    assert all(one == found[0] for one in found) and found[0].text and found[0].seconds == 4.0
    assert [one.word for one in found[0].times] == found[0].text.split()


def test_partials_of_chinese_are_joined_without_blanks() -> None:
    parts = [Partial("用"), Partial("筑基"), Partial(""), Partial("it is", last=True)]
    assert Listening(iter(parts), spaced=True).whole().text == "用筑基 it is"
    assert Listening(iter(parts[:2]), spaced=False).whole().text == "用筑基"


def test_samples_of_another_rate_are_brought_to_the_models() -> None:
    samples = noise(3.0)
    twice = np.repeat(samples, 2)
    parts = list(transcribe(predictor(CONFORMER), cut(twice, 1_000), WINDOWS, rate=2 * RATE))
    assert parts[-1].last and parts[-1].seconds == pytest.approx(3.0, abs=0.05)


def test_parts_are_told_as_they_come() -> None:
    listening = transcribe(predictor(), cut(noise(4.0), 800), WINDOWS)
    first, told = next(iter(listening)), []
    rest = listening.whole(told.append)
    assert first.seconds == pytest.approx(1.0) and [part.seconds for part in told] == pytest.approx([2.0, 3.0, 4.0])
    assert rest.text == " ".join(part.text for part in told if part.text)


def test_what_cannot_be_heard_is_told_at_once() -> None:
    of = predictor()
    with pytest.raises(SoundError):
        transcribe(of, b"no sound")
    with pytest.raises(BadSetting):
        transcribe(of, [], rate=0)
    for block in (np.zeros((2, 2), np.float32), np.zeros(4, np.int64), np.full(4, np.nan, np.float32), np.array([0, 1e300])):
        with pytest.raises(BadSetting):
            list(transcribe(of, [block]))
    with pytest.raises(UnknownKey):
        transcribe(of, [], sets=["decode.beems=3"])
    with pytest.raises(BadSetting):
        refuse_unknown(Path("x.doc"))


def test_beams_seek_otherwise() -> None:
    of, samples = predictor(), noise(4.0)
    greedy, wide = (transcribe(of, [samples], WINDOWS, sets=sets).whole() for sets in ([], ["decode.beams=8"]))
    assert greedy.text and wide.text


def test_a_transcript_is_written_as_text_or_subtitles() -> None:
    of = Transcript("筑基", (Timed("筑", 0.0, 0.5), Timed("基", 0.5, 1.0)), 1.0, spaced=False)
    assert of.written(".txt") == "筑基\n"
    assert of.written(".srt") == "1\n00:00:00,000 --> 00:00:01,000\n筑基\n"
    assert of.written(".vtt").startswith("WEBVTT")
    assert of.as_dict()["times"][1] == {"word": "基", "begin": 0.5, "end": 1.0}
