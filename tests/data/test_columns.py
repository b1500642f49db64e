import pytest

from zhuji.core.records import Box, Picture
from zhuji.data import columns
from zhuji.data.columns import Column, look, told_as
from zhuji.data.settings import DataSettings
from zhuji.data.sources import open_source


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a", "a"),
        (1.0, "1"),
        (None, ""),
        (b"\xff\xd8", ""),
        (b"abc", "abc"),
        (Picture("a.png", b"12"), "a.png"),
        ((Box("c", 0, 0, 1, 1),), ""),
    ],
)
def test_cells_are_told_as_texts(value: object, told: str) -> None:
    assert told_as(value) == told


def test_a_column_counts_what_is_filled() -> None:
    column = Column("n", ["1", "", None, "2", "2"])
    assert column.numeric and not column.unique
    assert column.distinct == {"1": 1, "2": 2}
    assert column.share(lambda value: value == "2") == pytest.approx(2 / 3)


def test_pictures_fill_the_room_that_a_look_has(tmp_path, monkeypatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"image": {"bytes": b"\xff\xd8\xff" + bytes(1000), "path": None}, "label": "a"}] * 30
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    monkeypatch.setattr(columns, "LOOK_CHARACTERS", 5000)
    found = look(open_source(DataSettings(path=str(tmp_path / "a.parquet"))))
    assert [c.name for c in found] == ["image", "label"] and len(found[0].values) < 10
