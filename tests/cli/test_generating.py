from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests import foundation
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
