from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests import foundation, sounder
from zhuji import api
from zhuji.cli.app import main


def test_a_text_is_written_as_it_comes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(foundation.result().run)
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("the dog\n"))
    assert main(["generate", run, "the cat", "-", "--how", "greedy", "--max-units", "5"]) == 0
    expected = [text.prompt + text.text for text in api.generate(run, ["the cat", "the dog"], how="greedy", max_units=5).texts]
    assert capsys.readouterr().out == "".join(f"{text}\n" for text in expected)


def test_beams_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = str(foundation.result().run)
    capsys.readouterr()
    assert main(["generate", run, "the cat", "--beams", "2", "--max-units", "4", "--json"]) == 0
    (text,) = json.loads(capsys.readouterr().out)["texts"]
    assert set(text) == {"prompt", "text", "units", "score", "ended"} and text["units"] <= 4
    assert main(["generate", run, "no ", "--regex", "[0-9]{3}", "--max-units", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"][0]["text"].strip().isdigit()
    assert main(["generate", run, "x", "--json-schema", str(tmp_path / "none.json")]) == 3


def test_perplexity(capsys: pytest.CaptureFixture[str]) -> None:
    run = str(foundation.result().run)
    capsys.readouterr()
    assert main(["perplexity", run, str(foundation.rows()), "--text", "text"]) == 0
    assert "bits per byte" in (out := capsys.readouterr().out) and "90 texts" in out
    assert main(["perplexity", run, str(foundation.texts()), "--window", "9999", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "BadSetting"


def test_a_sound_is_gone_on_with(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    run, prompt = str(sounder.result().run), str(sounder.data() / "clips" / "3.wav")
    capsys.readouterr()
    assert main(["generate", run, prompt, "--out", str(tmp_path / "out"), "--seconds", "0.1", "--heard", "0.05"]) == 0
    assert "1 sounds in" in (out := capsys.readouterr().out) and "0.10 s made" in out and "sounds.html" in out
    assert main(["generate", run, "--out", str(tmp_path / "json"), "--seconds", "0.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["prompt"] is None
    assert main(["generate", run, prompt, "--out", str(tmp_path / "out")]) == 5
    assert main(["generate", run, prompt, "--out", str(tmp_path / "new"), "--beams", "2"]) == 2
