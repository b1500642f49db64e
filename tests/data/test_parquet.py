import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zhuji.core.errors import DamagedFile, DuplicateColumn, MissingExtra
from zhuji.data.parquet import BATCH_ROWS, ParquetTable


def stored(path, table):
    pq.write_table(table, path)
    return ParquetTable(path)


def test_rows_over_several_batches(tmp_path):
    n = 2 * BATCH_ROWS + 7
    table = stored(
        tmp_path / "a.parquet", pa.table({"text": [f"t{i}" for i in range(n)], "tags": [["a"], []] * (n // 2) + [["b"]]})
    )
    rows = list(table.rows())
    assert table.columns == ("text", "tags") and len(rows) == n
    assert rows[-1] == ({"text": f"t{n - 1}", "tags": ["b"]}, "")


def test_a_cell_that_cannot_be_read_costs_its_row(tmp_path):
    bad = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"ok\xff\xfe")])
    assert list(stored(tmp_path / "a.parquet", pa.table({"text": bad})).rows()) == [
        ({"text": "ok"}, ""),
        (None, "undecodable bytes"),
    ]
    late = pa.table({"date": pa.array([0, 2**45], pa.timestamp("s"))})
    assert [cause for _, cause in stored(tmp_path / "b.parquet", late).rows()] == ["", "value out of range"]


def test_damage_is_an_error_of_the_catalogue(tmp_path):
    path = tmp_path / "a.parquet"
    stored(path, pa.table({"text": ["a" * 500] * 500}))
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(DamagedFile):
        ParquetTable(path)
    path.write_bytes(whole[:10] + b"\xff" * 40 + whole[50:])
    with pytest.raises(DamagedFile):
        list(ParquetTable(path).rows())


def test_equal_names_are_refused(tmp_path):
    with pytest.raises(DuplicateColumn):
        stored(tmp_path / "a.parquet", pa.table([pa.array(["a"]), pa.array(["b"])], names=["x", "x"]))


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"zhuji\[parquet\]"):
        ParquetTable(tmp_path / "a.parquet")
