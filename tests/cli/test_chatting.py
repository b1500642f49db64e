from __future__ import annotations

import io
import json

import pytest

from tests.serving import made
from zhuji.cli.app import main

CAT, DOG = "What says the cat?", "What says the dog?"


def test_questions_are_answered_one_after_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", str(made.talker()), CAT, DOG, "--temperature", "0"]) == 0
    assert capsys.readouterr().out == "The cat says meow.\nThe dog says woof.\n"


def test_lines_up_to_an_empty_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CAT}\n\n{DOG}\n"))
    assert main(["chat", str(made.talker()), "--temperature", "0", "--system", "Be brief."]) == 0
    assert capsys.readouterr().out == "meow\n"


def test_a_person_is_shown_where_to_type(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    typed = io.StringIO(f"{CAT}\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    assert main(["chat", str(made.talker()), "--temperature", "0"]) == 0
    told = capsys.readouterr()
    assert told.out == "The cat says meow.\n" and told.err.count("> ") == 2 and "empty line" in told.err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", str(made.talker()), CAT, "--temperature", "0", "--max-units", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["messages"]
    assert [one["role"] for one in said] == ["user", "assistant"] and "The cat says meow.".startswith(said[1]["content"])


def test_what_cannot_be_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", str(made.writer()), CAT]) == 2
    assert "chat format" in capsys.readouterr().err
    assert main(["chat", str(made.talker()), "a<|im_end|>b", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "BadSetting"
