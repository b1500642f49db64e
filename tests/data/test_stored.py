import threading
from pathlib import Path

import pytest

from zhuji.core.records import Picture
from zhuji.data import stored
from zhuji.data.pictures import read_bytes
from zhuji.data.stored import Store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """One with room for five bytes."""
    made = Store()
    monkeypatch.setattr(made, "_room", 5.0)
    return made


def test_the_first_stay_in_memory_and_the_others_come_back_as_they_were(store: Store) -> None:
    data = [bytes([n]) * 3 for n in range(50)]
    kept = [store.keep(Picture(str(n), one, mark=b"m")) for n, one in enumerate(data)]
    assert [one.data is not None for one in kept[:3]] == [True, False, False]
    assert [read_bytes(one) for one in kept] == data
    assert {one.mark for one in kept} == {b"m"} and str(kept[7]) == "7"
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.extend(read_bytes(one) == each for one, each in zip(kept, data)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200 and all(found)


def test_files_are_left_where_they_are(store: Store, tmp_path: Path) -> None:
    picture = Picture(str(tmp_path / "a.png"))
    assert store.keep(picture) is picture


def test_a_table_of_pictures_is_read_the_same_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.data.picture_sets.made import picture
    from zhuji.data.read import read_records
    from zhuji.data.settings import DataSettings

    rows = [
        {"image": {"bytes": picture(tmp_path / f"{n}.png", seed=n).read_bytes(), "path": f"{n}.png"}, "label": "ab"[n % 2]}
        for n in range(9)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    settings = DataSettings(path=str(tmp_path / "a.parquet"))
    before = list(read_records(settings))
    monkeypatch.setattr(stored, "SHARE", 0)
    after = list(read_records(settings))
    assert all(r.input.data for r in before) and not any(r.input.data for r in after)
    assert (
        [read_bytes(r.input) for r in before] == [read_bytes(r.input) for r in after] == [row["image"]["bytes"] for row in rows]
    )
