from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests import heard, trained
from tests.serving import made
from zhuji.cli.app import main


def test_evaluate_gives_the_numbers_of_train(capsys: pytest.CaptureFixture[str]) -> None:
    result = trained.result()
    capsys.readouterr()
    assert main(["evaluate", str(result.run), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["scores"] == dict(result.test)
    assert set(answer) == {"model", "data", "split", "rows", "unseen", "scores", "per_class", "confusion", "ledger", "seconds"}
    assert main(["evaluate", str(result.bundle), str(trained.data()), "--set", "evaluate.bootstrap=10"]) == 0
    assert "accuracy" in capsys.readouterr().out


def test_texts_and_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("飞 羽毛\n\npurr\tmeow\n"))
    assert main(["predict", str(trained.run()), "bark bone", "-"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["dogs", "鸟类", "cats"] and rows[2][2] == "purr meow"
    assert "1 of 4 rows have no answer (empty text 1)" in err


def test_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(trained.run()), "bark", "meow", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"predictions", "rows"} and answer["rows"]["answered"] == 2
    assert set(answer["predictions"][0]) == {"text", "prediction", "score", "scores"}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_files_keep_their_columns(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = trained.write_rows(tmp_path / "in.csv", rows=30, prediction="mine")
    out = tmp_path / f"out.{ending}"
    assert main(["predict", str(trained.run()), str(rows), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"read": 30, "answered": 30, "dropped": 0, "causes": {}}
    if ending == "csv":
        found = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    elif ending == "jsonl":
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    else:
        found = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
    assert len(found) == 30 and {"text", "label", "prediction", "prediction_2", "score"} <= set(found[0])
    assert [row["prediction"] for row in found] == ["mine"] * 30
    assert sum(row["prediction_2"] == row["label"] for row in found) > 25


def test_another_ending_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(trained.run()), "x", "--out", str(tmp_path / "o.xlsx")]) == 2
    assert ".parquet" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_file_of_rows_that_is_not_there_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(trained.run()), "rows.csv", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"] == "MissingFile"
    assert main(["predict", str(trained.run()), "bark, as in rows.csv"]) == 0


def test_answers_drawn_on_copies_are_told_with_their_places(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from tests import pictured

    run, picture = str(pictured.result().run), str(next((pictured.data() / "test").rglob("*.png")))
    capsys.readouterr()
    assert main(["predict", run, picture, "--draw", str(tmp_path / "new"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    assert Path(found["drawn"]).is_file()
    assert main(["predict", run, picture, "--draw", str(tmp_path / "new")]) == 5
    assert "name another folder" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--json"], ["--out", "out.csv"]])
def test_what_was_done_to_a_sound_is_told_however_it_is_answered(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 seconds, of which 30 are read."""
    pytest.importorskip("soundfile")
    monkeypatch.chdir(tmp_path)
    heard.written(tmp_path / "long.wav", heard.tone(300, 40.0))
    assert main(["predict", str(made.listener()), "long.wav", *more]) == 0
    assert "end cut off 1" in capsys.readouterr().err
