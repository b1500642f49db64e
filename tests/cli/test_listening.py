from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.model.test_streaming import RATE, noise, predictor
from tests.trained import folder
from zhuji.cli.app import main
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.data.sounds import as_wav
from zhuji.model import bundle


@cache
def listener() -> tuple[str, str]:
    """A bundle, and a recording."""
    place = folder()
    bundle.save(
        predictor().model,
        place / "bundle",
        clean=CleanSettings(),
        roles=Roles(text=(), sound="sound"),
        golden=[],
        card="# A model\n",
    )
    (place / "long.wav").write_bytes(as_wav(noise(6.0), RATE))
    return str(place / "bundle"), str(place / "long.wav")


def test_a_long_recording_appears_as_it_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    model, sound = listener()
    assert main(["transcribe", model, sound, "--chunk", "1", "--left", "0.3", "--right", "0.3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"text", "seconds", "times"} and found["seconds"] == 6.0
    assert main(["transcribe", model, sound, "--chunk", "1", "--left", "0.3", "--right", "0.3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines) == found["text"] and len(lines) > 3


@pytest.mark.parametrize("ending", ["txt", "srt", "vtt"])
def test_it_is_written_to_a_file(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, sound = listener()
    out = tmp_path / f"said.{ending}"
    assert main(["transcribe", model, sound, "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") and f"said.{ending}" in capsys.readouterr().out


def test_what_is_asked_in_vain_is_told(tmp_path: Path) -> None:
    model, sound = listener()
    assert main(["transcribe", model, sound, "--out", str(tmp_path / "x.doc")]) == 2
    assert main(["transcribe", model, sound, "--chunk", "0"]) == 2
    assert main(["transcribe", model, str(tmp_path / "none.wav")]) == 3
