from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import pictured
from tests.painter import painter
from zhuji.cli.app import main
from zhuji.model.bundle import open_bundle

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _a_model_that_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(model: Any) -> Any:
        return open_bundle(pictured.result().bundle) if "judge" in str(model) else painter(0.2)

    monkeypatch.setattr("zhuji.api.pictures.opened", opened)


def test_pictures_and_what_comes_next(capsys: Out, tmp_path: Path) -> None:
    out = tmp_path / "my pictures"
    assert main(["draw", "runs/1", "--count", "5", "--label", "red", "--label", "蓝", "--seed", "4", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "5 pictures in" in said and "red 3 · 蓝 2" in said and "sheet.png" in said
    steps = [line.strip() for line in said.splitlines() if line.startswith("  zhuji")]
    assert [step.split()[1] for step in steps] == ["draw", "realism", "evaluate"]
    assert f"--label red --seed 5 --out '{out}-2'" in steps[0]
    assert len(list(out.glob("*.png"))) == 6


def test_json_chinese_and_settings(capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["draw", "r", "--out", str(tmp_path / "a"), "--set", "draw.count=2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == ["0001-green.png", "0002-red.png"] and found["settings"]["count"] == 2
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert main(["draw", "r", "--out", str(tmp_path / "b"), "--count", "1"]) == 0
    assert "1 张图片" in capsys.readouterr().out


def test_what_cannot_be(capsys: Out, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("")
    assert main(["draw", "r", "--out", str(tmp_path)]) == 5
    assert "--out" in capsys.readouterr().err
    assert main(["draw", "r", "--out", str(tmp_path / "x"), "--label", "fish"]) == 2
    assert "green" in capsys.readouterr().err
    assert main(["draw", "r", "--out", str(tmp_path / "x"), "--set", "draw.cuont=2"]) == 2
    assert "count" in capsys.readouterr().err


def test_how_real_they_look(capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(pictured.result().run)
    capsys.readouterr()
    asked = ["realism", run, "--by", "a judge", "--count", "20", "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "Frechet distance" in said and "recognised" in said and "not of Inception" in said and "3 of 3" in said
    steps = [line.strip() for line in said.splitlines() if line.startswith("  zhuji")]
    assert len(steps) == 3 and "'a judge'" in steps[1]
    assert (tmp_path / "out" / "realism.html").is_file()
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"]["drawn"] == 20 and set(found["scores"]["frechet"]) == {"drawn", "real"}
    assert found["page"] == str(tmp_path / "out" / "realism.html")
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert main(asked) == 0
    assert "召回率" in capsys.readouterr().out and "召回率" in (tmp_path / "out" / "realism.html").read_text()
