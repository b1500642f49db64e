from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import many_runs, trained
from zhuji.cli.app import main


def test_check_passes_and_fails_by_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(trained.data())]) == 0
    assert "PASS" in capsys.readouterr().out and (tmp_path / "check-pets.html").is_file()
    lines = trained.data().read_text(encoding="utf-8").splitlines()
    planted = [f"{line},{'test' if i % 4 == 0 else 'train'}" for i, line in enumerate(lines[1:])]
    leaky = tmp_path / "leaky.csv"
    leaky.write_text("\n".join([f"{lines[0]},split", *planted, f"{lines[1]},train", ""]), encoding="utf-8")
    assert main(["check", str(leaky), "--json", "--page", str(tmp_path / "p.html")]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is False and answer["leaks"]["found"]["exact"] == 1 and (tmp_path / "p.html").is_file()
    assert {"data", "passed", "failures", "warnings", "rows", "splits", "classes", "roles", "lengths", "languages", "duplicates",
            "leaks", "doubtful", "ledger", "page"} <= set(answer)  # fmt: skip


def test_report_and_compare(capsys: pytest.CaptureFixture[str]) -> None:
    run = str(trained.run())
    capsys.readouterr()
    assert main(["report", run, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"report", "pictures", "verdict"}
    assert main(["compare", run, run, "--json", "--set", "compare.resamples=20"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"a", "b", "rows", "only_a", "only_b", "metrics", "verdict"}
    assert set(answer["metrics"]["accuracy"]) == {"a", "b", "difference", "p", "better"}
    assert main(["compare", run, run, "--set", "compare.resamples=20"]) == 0
    assert "test rows in common" in capsys.readouterr().out


def test_report_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many_runs.write(tmp_path, "001-a")
    assert main(["report", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"report": str(tmp_path / "report.html"), "pictures": [], "verdict": "1 run: 1 finished."}


def test_studio_says_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def serve(folder: Path, port: int | None, *, sets: object, ready: Callable[[str], None]) -> None:
        asked.append((folder, port, list(sets)))  # type: ignore[call-overload]
        ready("http://127.0.0.1:9/")

    monkeypatch.setattr("zhuji.studio.run.serve", serve)
    assert main(["studio", str(tmp_path), "--port", "9", "--set", "studio.every=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path), "address": "http://127.0.0.1:9/"}
    assert main(["studio", str(tmp_path)]) == 0
    assert "http://127.0.0.1:9/" in capsys.readouterr().out
    assert asked == [(tmp_path, 9, ["studio.every=2"]), (tmp_path, None, [])]
    monkeypatch.undo()
    assert main(["studio", str(tmp_path / "none")]) == 3


def test_robustness_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from tests import pictured

    run, few = (
        str(pictured.result().run),
        ["--set", "robustness.rows=4", "--set", "robustness.bootstrap=5", "--out", str(tmp_path)],
    )
    capsys.readouterr()
    assert main(["robustness", run, *few]) == 0
    out = capsys.readouterr().out
    assert "as they are" in out and "JPEG" in out and "severity" in out and "written" in out
    assert main(["robustness", run, *few, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 4 and len(found["by"]["blur"]) == 5
