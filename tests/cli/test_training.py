from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import trained
from zhuji.cli import terminal
from zhuji.cli.app import main
from zhuji.cli.training import _leaks_text, _show_groups

SCORE = {"value", "low", "high"}


def test_shape_of_the_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sets = [word for pair in trained.FAST for word in ("--set", pair)]
    assert (
        main(["train", str(trained.data()), "--epochs", "1", "--run-dir", str(tmp_path / "r"), "--seed", "1", "--json", *sets])
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert {"run", "bundle", "test", "baselines", "ledger", "leaks", "seconds", "peak_rss_mb"} <= set(answer)
    assert all(set(score) == SCORE for score in answer["test"].values())
    assert all(set(score) == SCORE for of in answer["baselines"].values() for score in of.values())
    assert answer["ledger"]["read"] == sum(answer["ledger"][fate] for fate in ("used", "cut", "dropped")) == 120
    assert Path(answer["run"]) == tmp_path / "r" and (Path(answer["bundle"]) / "config.json").is_file()
    assert main(["train", str(trained.data()), "--run-dir", str(tmp_path / "r")]) == 5, "a run is never overwritten"


def test_resume_shows_score_baselines_and_next_commands(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    run = str(trained.run())
    capsys.readouterr()
    assert main(["resume", run]) == 0
    out = capsys.readouterr().out
    assert "95 % interval" in out and "majority" in out and "ledger" in out and "leaks" in out
    assert all(f"zhuji {verb} {run}" in out for verb in ("predict", "evaluate", "serve"))
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert main(["resume", run]) == 0
    assert "接下来" in capsys.readouterr().out


def test_what_became_of_leaks_is_told_as_it_was() -> None:
    leaks = {"found": {"near": 3, "group": 40}, "action": "move", "kept": 40}
    assert _leaks_text(leaks) == "near 3, group 40: moved into one split, but for 40 rows of groups too large to move"
    assert _leaks_text({**leaks, "kept": 0}).endswith("moved into one split")
    assert _leaks_text({**leaks, "action": "allow"}).endswith("kept, as asked")
    assert _leaks_text({"found": {"near": 0}, "action": "move"}) == "none found"


def test_scores_by_group_are_shown_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    of = {"rows": 1200, "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}
    _show_groups(terminal.console(), {"news": of, "tweet\x1b[2J": of}, ["accuracy", "macro_f1"])
    out = capsys.readouterr().out
    assert "news (1,200)" in out and "0.500 [0.400, 0.600]" in out and "–" in out and "\x1b" not in out
    _show_groups(terminal.console(), {"news": of}, ["accuracy"])
    assert not capsys.readouterr().out
