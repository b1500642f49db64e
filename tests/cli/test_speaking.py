from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests import vocoder, voiced
from zhuji.cli.app import main

Out = pytest.CaptureFixture[str]
QUICK = ["--set", "speak.steps=2"]


def test_texts_lines_and_what_comes_next(capsys: Out, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("cab\n\nabcd dd\n")
    out = tmp_path / "my sounds"
    words = ["speak", str(voiced.voice()), "ab cd", "--file", str(tmp_path / "lines.txt"), "--out", str(out), *QUICK]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "3 sounds in" in said and "at 4,000 Hz" in said and "0001-ab_cd.wav" in said
    steps = [line.split()[1] for line in said.splitlines() if line.startswith("  zhuji")]
    assert steps == ["speak", "predict", "serve"]
    assert len(list(out.glob("*.wav"))) == 3


def test_json_chinese_and_standard_input(capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ab\ncd\n"))
    assert main(["speak", str(voiced.voice()), "--out", str(tmp_path / "a"), "--json", "--speed", "2", *QUICK]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["text"] for one in found["files"]] == ["ab", "cd"] and found["settings"]["speed"] == 2
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert main(["speak", str(voiced.voice()), "ab", "--out", str(tmp_path / "b"), *QUICK]) == 0
    assert "1 段声音" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "code", "told"), [
    (["né"], 3, "é"), ([""], 3, "empty"), (["ab", "--speed", "9"], 2, "speed"), (["ab", "--speaker", "nobody"], 2, "low"),
    (["--file", "nowhere.txt"], 3, "nowhere.txt"),
])  # fmt: skip
def test_what_cannot_be(capsys: Out, tmp_path: Path, words: list[str], code: int, told: str) -> None:
    assert main(["speak", str(voiced.voice()), *words, "--out", str(tmp_path / "x"), *QUICK]) == code
    assert told in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_a_file_that_is_no_text(capsys: Out, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes(b"\xff\xfe\xfa")
    assert main(["speak", str(voiced.voice()), "--file", str(tmp_path / "lines.txt"), "--out", str(tmp_path / "x")]) == 3
    assert "UTF-8" in capsys.readouterr().err


def test_a_trained_vocoder_is_used_and_told_of(capsys: Out, tmp_path: Path) -> None:
    words = ["speak", str(voiced.voice()), "ab cd", "--out", str(tmp_path / "a"), "--vocoder", str(vocoder.bundled()), "--json"]
    assert main(words) == 0
    found, note = json.loads(capsys.readouterr().out), json.loads((tmp_path / "a" / "spoken.json").read_text())
    assert found["vocoder"] == note["vocoder"] is not None and found["vocoder"] != found["model"]
    assert main(["speak", str(voiced.voice()), "ab cd", "--out", str(tmp_path / "b"), "--json", *QUICK]) == 0
    assert json.loads(capsys.readouterr().out)["vocoder"] is None
    ours, old = ((tmp_path / place / "0001-ab_cd.wav").read_bytes() for place in "ab")
    assert len(ours) == len(old) and ours != old


def test_what_is_no_vocoder_is_refused_before_anything_is_written(capsys: Out, tmp_path: Path) -> None:
    words = ["speak", str(voiced.voice()), "ab", "--out", str(tmp_path / "x"), "--vocoder", str(voiced.voice())]
    assert main(words) == 2 and "--model vocoder" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
