from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.heard import tone, written
from tests.tools.test_enhance import cleaner
from zhuji.cli.app import main

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _a_model_that_cleans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhuji.api.pictures.opened", lambda model: cleaner())


def test_what_was_written_and_how_fast(capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "in" / "a.wav", tone(440, 0.3))
    (tmp_path / "in" / "b.wav").write_bytes(b"RIFF")
    assert main(["enhance", "runs/1", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert (
        "1 sounds in" in out and "real-time factor" in out and "1 could not be read" in out and "zhuji evaluate runs/1" in out
    )
    assert " of work for a second of sound; 0.3s of sound in all" in out
    assert err.count("b.wav") == 1
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert main(["enhance", "r", str(tmp_path / "in" / "a.wav"), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "实时率" in out and "；声音共 0.3s" in out


def test_a_sound_of_which_nothing_is_left_is_told_all_the_same(capsys: Out, tmp_path: Path) -> None:
    """One sample at 48,000 a second is none at 8,000."""
    file = written(tmp_path / "a.wav", tone(440, 0.3)[:1], 48_000)
    assert main(["enhance", "r", str(file), "--out", str(tmp_path / "out")]) == 0
    assert "1 sounds in" in capsys.readouterr().out and len((tmp_path / "out" / "a.wav").read_bytes()) == 44


def test_json_and_what_cannot_be(capsys: Out, tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", tone(440, 0.3))
    assert (
        main(
            [
                "enhance",
                "r",
                str(file),
                "--out",
                str(tmp_path / "out"),
                "--set",
                "enhance.piece=1",
                "--set",
                "enhance.overlap=0.2",
                "--json",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 1 and found["files"][0]["out"].endswith("a.wav") and found["real_time_factor"] > 0
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert main(["enhance", "r", str(tmp_path / "broken.wav"), "--out", str(tmp_path / "out")]) == 3
    assert capsys.readouterr().err.count("broken.wav") == 1
