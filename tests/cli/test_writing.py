from __future__ import annotations

from pathlib import Path

import pytest

from zhuji.cli.writing import writer


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
