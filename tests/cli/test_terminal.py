from __future__ import annotations

import json

import pytest

from zhuji.cli import terminal


def test_json_has_no_nan() -> None:
    text = terminal.json_text({"a": float("nan"), "b": (1, float("inf")), "c": {"d": "字"}})
    assert json.loads(text) == {"a": None, "b": [1, None], "c": {"d": "字"}}


def test_what_a_library_prints_does_not_mix_with_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.speaking(True) as answer:
        print("noise")
        answer({"x": 1}, lambda *_: None)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"x": 1} and "noise" in err


def test_hostile_text_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = terminal.console()
    terminal.table(screen, ["[red]h"], [["\x1b[2J[bold]x"]])
    terminal.line(screen, "n", "\x07bell")
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out and "[bold]x" in out


def test_numbers() -> None:
    assert terminal.interval_text({"value": 0.5, "low": 0.25, "high": None}) == "0.500 [0.250, –]"
    ledger = {"read": 1000, "used": 900, "cut": 90, "dropped": 10, "causes": {"dropped": {"empty text": 10}}}
    assert terminal.ledger_text(ledger) == "read 1,000 = used 900 + cut 90 + dropped 10 (empty text 10)"
    heard = {**ledger, "seconds": 1_234.56, "seconds_cut": 7.0, "seconds_dropped": 0.5}
    assert terminal.ledger_text(heard).endswith("(empty text 10) · seconds: used 1,234.6 + cut 7.0 + dropped 0.5")


def test_texts_hang_in_one_column_whatever_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("run", "账本", "可疑标签"):
        terminal.line(terminal.console(), name, "x")
    assert [line.index("x") + wide for line, wide in zip(capsys.readouterr().out.splitlines(), (0, 2, 4), strict=True)] == [
        10
    ] * 3


def test_lines_under_each_other_have_one_column(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.lines(terminal.console(), [("cer", "x"), ("greedy_cer", "x"), ("spectral_error", "x"), ("字错误率", "x")])
    assert [line.index("x") + wide for line, wide in zip(capsys.readouterr().out.splitlines(), (0, 0, 0, 4), strict=True)] == [
        16
    ] * 4
    terminal.lines(terminal.console(), [("cer", "x")])
    assert capsys.readouterr().out.index("x") == 10


def test_commands_to_go_on_with_are_whole_however_narrow_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    long = "zhuji predict " + "x" * 300
    terminal.invite(terminal.console(), long, "zhuji \x1b[2J")
    out = capsys.readouterr().out
    assert out == f"\nnext:\n  {long}\n  zhuji �[2J\n"
