"""What the real commands make of a broken input: the exit code, the one object on standard output, what went to standard error."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.cli.app import main
from zhuji.core.errors import catalogue

QUICK = ("train.steps=2", "train.rehearse=false", "train.precision=fp32", "evaluate.baselines=false", "evaluate.bootstrap=0")


@dataclass(frozen=True)
class Outcome:
    code: int
    said: str
    told: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on standard output; ValueError if there is more or less."""
        return json.loads(self.said)


def called(*words: str) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return Outcome(code, out.getvalue(), err.getvalue())


def trained(path: Path, run_dir: Path) -> Outcome:
    sets = [word for pair in QUICK for word in ("--set", pair)]
    return called("train", str(path), "--model", "bag", "--json", "--run-dir", str(run_dir), *sets)


def checked(path: Path, page: Path) -> Outcome:
    return called("check", str(path), "--json", "--page", str(page))


def require_sound_training(path: Path, folder: Path) -> str:
    """Runs `train` on `path` and asserts that it ends as it should; the error's code, or `done`."""
    run_dir = folder / "run"
    outcome = trained(path, run_dir)
    if outcome.code:
        return _require_entry(path, outcome, run_dir)
    ledger = outcome.answer["ledger"]
    assert ledger["balanced"], path.name
    assert ledger["read"] == ledger["used"] + ledger["cut"] + ledger["dropped"], path.name
    assert sum(sum(causes.values()) for causes in ledger["causes"].values()) >= ledger["dropped"], path.name
    assert (run_dir / "report.html").exists() and outcome.answer["test"], path.name
    return "done"


def require_sound_check(path: Path, folder: Path) -> str:
    """Runs `check` on `path` and asserts that it ends as it should; the error's code, or `passed` or `failed`."""
    page = folder / "page.html"
    outcome = checked(path, page)
    if outcome.code not in (0, 1):
        return _require_entry(path, outcome, page)
    found = outcome.answer
    assert "error" not in found, (path.name, found)
    assert found["ledger"]["read"] == found["rows"] + found["ledger"]["dropped"], path.name
    assert found["passed"] == (outcome.code == 0) and page.exists(), path.name
    return "passed" if found["passed"] else "failed"


def _require_entry(path: Path, outcome: Outcome, made: Path) -> str:
    """An error of the catalogue with its exit code; nothing half-made is left behind."""
    error = catalogue().get(outcome.answer["error"])
    assert error is not None and outcome.code == error.exit_code, (path.name, outcome)
    assert "Traceback" not in outcome.told, path.name
    assert not made.exists(), path.name
    return error.__name__
