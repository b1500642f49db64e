from __future__ import annotations

import io
from pathlib import Path

import pytest

from zhuji.cli.writing import csv_rows, json_rows, writer


def test_csv_joins_labels_and_leaves_scores_out() -> None:
    file = io.StringIO()
    write = csv_rows(file)
    write({"text": 'a,"b"', "prediction": ("x", "y"), "scores": {"x": 1.0}})
    write({"text": "c", "prediction": "z", "late": 1})
    assert file.getvalue() == 'text,prediction\n"a,""b""",x|y\nc,z\n'


def test_json_lines() -> None:
    file = io.StringIO()
    json_rows(file)({"a": "字"})
    assert file.getvalue() == '{"a": "字"}\n'


def test_parquet_without_rows_and_with_gaps(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with writer(tmp_path / "none.parquet"):
        pass
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0
    with writer(tmp_path / "some.parquet") as write:
        write({"a": "x", "score": 0.5})
        write({"a": None, "score": None})
    assert parquet.read_table(tmp_path / "some.parquet").to_pylist() == [{"a": "x", "score": 0.5}, {"a": None, "score": None}]


def test_nothing_is_left_when_it_breaks(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), writer(tmp_path / "o.csv") as write:
        write({"a": 1})
        raise RuntimeError
    assert not list(tmp_path.iterdir())
