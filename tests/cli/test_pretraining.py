from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import foundation
from zhuji.cli.app import main


def test_pretraining_shows_scores_cost_and_next_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [word for pair in foundation.SMALL for word in ("--set", pair)]
    run = tmp_path / "run"
    words = ["pretrain", str(foundation.texts()), "--epochs", "1", "--run-dir", str(run), *sets]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "masked_loss" in out and "CPU-hours" in out and "read 120 = used 120" in out
    assert all(f"zhuji {verb}" in out for verb in (f"train FILE.csv --from {run}", f"probe {run}", f"index {run}"))
    assert main(["resume", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "pretrain"
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert main(["resume", str(run)]) == 0
    assert ("留出的文档" in (out := capsys.readouterr().out) and "每个繁忙核心" in out) or "RAPL" in out
    assert main(["resume", str(run), "--seed", "9"]) == 5, "another seed is refused"
    assert main(words) == 5, "a run is never overwritten"


def test_tokenizer_and_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts, keep = str(foundation.texts()), ["--set", "corpus.duplicates=keep"]
    assert main(["tokenizer", texts, "--to", str(tmp_path / "t"), "--vocab-size", "200", *keep]) == 0
    out = capsys.readouterr().out
    assert "bytes of UTF-8 a token" in out and f"zhuji pretrain CORPUS --tokenizer {tmp_path / 't'}" in out
    assert main(["corpus", texts, "--to", str(tmp_path / "c"), "--tokenizer", str(tmp_path / "t"), *keep]) == 0
    out = capsys.readouterr().out
    assert "read 120 = used 120" in out and f"zhuji pretrain {tmp_path / 'c'}" in out


def test_a_recipe_of_the_other_kind_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "x.txt", "--model", "bag"]) == 2
    assert "zhuji train DATA --model bag" in capsys.readouterr().err
    assert main(["train", "x.csv", "--model", "bert-mini"]) == 2
    assert "zhuji pretrain CORPUS --model bert-mini" in capsys.readouterr().err
