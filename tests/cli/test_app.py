"""The command as a person meets it: exit codes, one JSON object, one message an error."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests import trained
from zhuji.cli import app
from zhuji.core.errors import UnknownName

VERBS = (
    "train", "resume", "distil", "evaluate", "predict", "pretrain", "corpus", "tokenizer", "generate", "perplexity", "probe", "embed",
    "index", "nearest", "convert", "check", "report", "compare", "studio", "recipes", "doctor", "schema",
)  # fmt: skip


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from zhuji.cli.app import main; assert main(['--help']) == 0;"
        "heavy = {'torch', 'numpy', 'pydantic', 'yaml', 'matplotlib', 'sklearn', 'rich', 'pyarrow'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {verb}" in done.stdout for verb in VERBS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["train", "none.csv"], 3, "MissingFile"),
        (["train", "none.csv", "--model", "none"], 2, "UnknownName"),
        (["train", "none.csv", "--set", "train.epoch=2"], 2, "UnknownKey"),
        (["train", "--none"], 2, "WrongUsage"),
        (["predict", "none", "x"], 4, "NotABundle"),
        (["resume", "none"], 5, "NothingToResume"),
        (["report", "none"], 4, "NotABundle"),
    ],
)
def test_errors_have_codes_and_are_one_object(
    words: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app.main([*words, "--json"]) == code
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"] == error
    assert "Traceback" not in printed.err and printed.err.startswith("error: ")


def test_messages_come_in_chinese(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert app.main(["recipes", "none"]) == UnknownName.exit_code
    assert capsys.readouterr().err.startswith("错误：没有名为「none」的")


def test_the_unexpected_is_one_line_unless_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("zhuji.api.recipes", broken)
    assert app.main(["recipes"]) == 1
    assert "boom" in (err := capsys.readouterr().err) and "Traceback" not in err
    monkeypatch.setenv("ZHUJI_DEBUG", "1")
    assert app.main(["recipes"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interruption_is_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zhuji.api.recipes", stopped)
    assert app.main(["recipes", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"] == "Interrupted"


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(
        f"({sys.executable} -m zhuji schema --json; echo code $? >&2) | head -c 0",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "code 0"


def test_every_verb_takes_the_common_options(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        assert app.main([verb, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(option in shown for option in ("--json", "--seed", "--set")), verb
    assert trained.WORDS


def test_no_word_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main([]) == 0
    printed = capsys.readouterr()
    assert "Usage: zhuji" in printed.out and not printed.err
