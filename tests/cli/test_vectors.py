from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import foundation
from zhuji.cli.app import main


def test_index_and_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, rows, index = str(foundation.result().run), str(foundation.rows()), str(tmp_path / "index")
    capsys.readouterr()
    assert main(["index", run, rows, "--to", index]) == 0
    assert f"zhuji nearest {index}" in (out := capsys.readouterr().out) and "90 rows" in out
    assert main(["nearest", index, "the bird sings and builds a small nest day 1", "-k", "1"]) == 0
    assert "[birds]" in capsys.readouterr().out
    assert main(["nearest", index, "x", "y", "--json"]) == 0
    assert [len(one["hits"]) for one in json.loads(capsys.readouterr().out)["answers"]] == [5, 5]
    assert main(["nearest", index, "--evaluate", rows, "-k", "3"]) == 0
    assert "recall@3" in capsys.readouterr().out
    assert main(["nearest", index, "--evaluate", rows, "--by", "taste"]) == 2


def test_embed_and_probe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, rows = str(foundation.result().run), str(foundation.rows())
    capsys.readouterr()
    assert main(["embed", run, rows, "--to", str(tmp_path / "v.jsonl")]) == 0
    assert "90 vectors of 16 numbers" in capsys.readouterr().out
    assert main(["probe", run, rows, "--set", "data.near=0"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("linear probe", "majority", "chosen"))
