from __future__ import annotations

import io
from pathlib import Path

import pytest

from zhuji.cli.inputs import given
from zhuji.core.errors import MissingFile


def test_texts_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\r\ntwo\n"))
    text, path, lines, long = given(["a text", str(tmp_path), "-", "x" * 5000])
    assert (text, path, list(lines), long) == ("a text", tmp_path, ["one", "two"], "x" * 5000)


def test_a_file_of_rows_that_is_not_there() -> None:
    with pytest.raises(MissingFile):
        list(given(["rows.CSV"]))
    with pytest.raises(MissingFile):
        list(given(["cat.JPG"]))
    assert list(given(["see rows.csv"])) == ["see rows.csv"]
