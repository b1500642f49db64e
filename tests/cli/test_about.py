from __future__ import annotations

import json

import pytest

from zhuji.cli.app import main


def test_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["recipes"]
    assert {recipe["verb"] for recipe in found} == {"train", "pretrain"}
    assert set(found[0]) == {"name", "verb", "what", "source", "cost", "score", "command", "settings"}
    assert main(["recipes", "bilstm"]) == 0
    assert capsys.readouterr().out.startswith("# what: The article's network")
    assert main(["recipes", "bilstm", "--set", "train.epochs=2", "--seed", "5", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["train"]["epochs"] == 2 and settings["seed"] == 5
    assert main(["recipes"]) == 0
    assert "bilstm" in capsys.readouterr().out


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--set", "train.threads=3"]) in (0, 1)
    facts = json.loads(capsys.readouterr().out)
    assert facts["torch"]["threads"] == 3 and facts["healthy"] == (not facts["problems"])
    main(["doctor"])
    assert "torch" in capsys.readouterr().out


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--json", "--seed", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["seed"]["default"] == 4
