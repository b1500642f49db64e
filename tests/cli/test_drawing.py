from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import pictured
from tests.painter import painter
from tests.tools.test_stylise import eyes
from zhuji.cli.app import main
from zhuji.model.bundle import open_bundle

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _a_model_that_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(model: Any) -> Any:
        if str(model) == "eyes":
            return eyes()
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
    assert "another folder" in capsys.readouterr().err
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


def test_one_picture_painted_like_another(capsys: Out, tmp_path: Path) -> None:
    for name, colour in (("a b.png", "red"), ("c.png", "blue")):
        Image.new("RGB", (20, 12), colour).save(tmp_path / name)
    asked = ["stylise", "eyes", "--content", str(tmp_path / "a b.png"), "--style", str(tmp_path / "c.png")]
    asked += ["--size", "20", "--steps", "2"]
    assert main([*asked, "--out", str(tmp_path / "o.png")]) == 0
    said = capsys.readouterr()
    assert "20 × 12" in said.out and "step 2/2" in said.err and "→" in said.out
    steps = [shlex.split(line) for line in said.out.splitlines() if line.startswith("  zhuji")]
    assert [step[1] for step in steps] == ["stylise", "stylise", "predict"] and steps[0][4] == str(tmp_path / "a b.png")
    assert main([*asked, "--out", str(tmp_path / "o.png"), "--json", "--set", "stylise.noise=0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["noise"] == 0 and set(found["first"]) == {"content", "style", "roughness"}
    assert main([*asked, "--out", str(tmp_path / "c.png")]) == 2
