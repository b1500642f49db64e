from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import vocoder, voiced
from zhuji.core.errors import EmptyData, ImpossiblePair
from zhuji.core.framing import Framing
from zhuji.core.records import Sound
from zhuji.core.unreadable import NotEmpty, Unsayable
from zhuji.data import sounds
from zhuji.model.speak import SpeakSettings, spoken
from zhuji.model.vocode import TrainedVocoder
from zhuji.tools.speak import speak

QUICK = SpeakSettings(steps=2)


@pytest.mark.parametrize("kind", ["durations", "attention"])
def test_a_file_for_each_text_and_a_note(kind: str, tmp_path: Path) -> None:
    texts = ["ab  cd", "cab"]
    found = speak(voiced.untaught(kind), texts, QUICK, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001-ab_cd.wav", "0002-cab.wav", "spoken.json"]
    note = json.loads((tmp_path / "out" / "spoken.json").read_text())
    assert [one["text"] for one in note["files"]] == ["ab cd", "cab"] and note["rate"] == voiced.RATE
    assert note["model"] == found.model and note["settings"]["steps"] == 2
    for one, whole in zip(found.files, spoken(voiced.untaught(kind), texts, QUICK), strict=True):
        heard = sounds.samples(Sound(str(tmp_path / "out" / one["file"])), voiced.RATE)
        assert len(heard.samples) == len(whole.samples)
        assert abs(heard.samples - whole.samples).max() < 1e-4  # 16 bits
    assert found.seconds == pytest.approx(sum(one["seconds"] for one in found.files), abs=0.01)


def test_nothing_is_written_unless_all_can_be_said(tmp_path: Path) -> None:
    with pytest.raises(Unsayable):
        speak(voiced.untaught(), ["ab", "?"], QUICK, tmp_path / "out")
    with pytest.raises(EmptyData):
        speak(voiced.untaught(), [], QUICK, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(NotEmpty):
        speak(voiced.untaught(), ["ab"], QUICK, tmp_path)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def broken(frames: object, framing: object) -> object:
        raise OSError("no more room")

    with pytest.raises(OSError, match="no more room"):
        speak(voiced.untaught(), ["ab", "cd"], QUICK, tmp_path / "out", broken)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_vocoder_of_other_frames_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = TrainedVocoder(vocoder.untaught())
    monkeypatch.setattr(trained, "framing", Framing.parse({**voiced.FRAMING.plain(), "hop": 0.008}, "frames"))
    with pytest.raises(ImpossiblePair, match="hop"):
        speak(voiced.untaught(), ["ab"], QUICK, tmp_path / "out", trained)
    assert not (tmp_path / "out").exists()
