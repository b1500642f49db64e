from pathlib import Path

import pytest

from tests.data.picture_sets.made import picture
from zhuji.core.records import Box, Picture
from zhuji.data.picture_sets.entries import NO_AREA, Entry, MediaTable, below, boxes, files_in


def test_boxes_are_set_right_or_left_out() -> None:
    kept, changes = boxes(
        [("a", 5, 6, 1, 2), ("b", 0, 0, 0, 9), ("", 0, 0, 1, 1), ("c", 0, 0, float("nan"), 1), ("d", -3, -3, 99, 99)]
    )
    assert kept == (Box("a", 1, 2, 5, 6), Box("d", -3, -3, 99, 99))
    assert changes == (NO_AREA,)
    assert boxes([]) == ((), ())


def test_only_files_called_as_pictures_are_some(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "._a.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in files_in(tmp_path)] == ["a.jpeg", "b.PNG"]
    assert files_in(tmp_path / "none") == []


def test_columns_are_those_of_which_anything_is_said(tmp_path: Path) -> None:
    a, b = picture(tmp_path / "a.png"), tmp_path / "gone.png"
    assert MediaTable(tmp_path, [Entry(a)], "x").columns == ("file", "image")
    assert MediaTable(tmp_path, [Entry(a, "train", "cat")], "x").columns == ("file", "image", "label", "split")
    table = MediaTable(
        tmp_path, [Entry(a, None, ()), Entry(b, None, None, "", (NO_AREA,)), Entry(b, problem="bad annotation")], "x"
    )
    assert table.columns == ("file", "image", "objects")
    first, second, third = table.file_rows()
    assert first.values == {"file": "a.png", "image": Picture(str(a)), "objects": ()}
    assert second.changes == (NO_AREA,) and second.values is not None and second.values["objects"] is None
    assert (third.values, third.problem) == (None, "bad annotation")
    assert table.files == (a,)
    assert list(table.rows()) == [(first.values, ""), (second.values, ""), (None, "bad annotation")]


@pytest.mark.parametrize(("path", "name"), [("/set/a/b.png", "a/b.png"), ("/elsewhere/b.png", "/elsewhere/b.png")])
def test_a_picture_is_called_as_it_lies_in_the_folder(path: str, name: str) -> None:
    assert below(Path(path), Path("/set")) == name
