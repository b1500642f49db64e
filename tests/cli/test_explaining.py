from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import foundation, supervised, trained
from zhuji.cli.app import main

Out = pytest.CaptureFixture[str]


def test_a_text_with_its_strongest_words(capsys: Out) -> None:
    run = str(trained.run())
    capsys.readouterr()
    assert main(["explain", run, "zz kennel xx", "--for", "cats"]) == 0
    out = capsys.readouterr().out
    assert "dogs" in out and "log-odds for cats" in out and "zz kennel xx" in out
    assert next(line for line in out.splitlines() if line.startswith("  -")).endswith("kennel")
    assert "\x1b" not in out, "colours are for terminals"


def test_one_json_object_and_json_lines(capsys: Out, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text\nbark bone\nmeow\n", encoding="utf-8")
    run = str(trained.run())
    capsys.readouterr()
    assert main(["explain", run, "bark", str(rows), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["explanations"]
    assert [row["explained"][0]["about"] for row in found] == ["dogs", "dogs", "cats"]
    assert main(["explain", run, str(rows)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["id"] for row in lines] == ["row-1", "row-2"]


def test_spans_and_none(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(supervised.tagged().bundle)
    capsys.readouterr()
    assert main(["explain", run, "Ada Smith met Bo", "went and"]) == 0
    out = capsys.readouterr().out
    assert "PER (Ada Smith)" in out and "PER (Bo)" in out and "nothing to explain" in out


def test_what_cannot_be_explained(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(foundation.result().run)
    capsys.readouterr()
    assert main(["explain", run, "x"]) == 2
    assert "next_unit" in capsys.readouterr().err
    assert main(["explain", str(trained.run()), "x", "--for", "fish"]) == 2
    assert "fish" in capsys.readouterr().err


def test_a_picture_in_nine_parts_and_drawn(capsys: Out, tmp_path: Path) -> None:
    from tests import pictured

    run, folder = str(pictured.result().run), pictured.data() / "test"
    picture = str(next(folder.rglob("*.png")))
    capsys.readouterr()
    assert main(["explain", run, picture, "--for", "red", "--draw", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "log-odds for red" in out and "bottom" in out and "right" in out and Path(picture).name in out
    (drawn,) = (tmp_path / "new").iterdir()
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert main(["explain", run, picture, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["explanations"]
    assert len(found["explained"][0]["map"]) == 4
    assert main(["explain", run, str(folder / "red")]) == 0
    assert all("map" in json.loads(line)["explained"][0] for line in capsys.readouterr().out.splitlines())
    assert main(["explain", str(trained.run()), "bark", "--draw", str(tmp_path / "other")]) == 2
