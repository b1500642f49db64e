from pathlib import Path

import pytest

from tests.data.picture_sets.made import corners, picture, told
from zhuji.data.picture_sets.voc import read_objects, voc

OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>{}</object>"


def note(*objects: tuple[object, ...]) -> bytes:
    parts = [OBJECT.format(*one) for one in objects]
    return f"<?xml version='1.0'?><annotation><size><width>20</width></size>{''.join(parts)}</annotation>".encode()


def written(folder: Path, notes: dict[str, bytes], lists: dict[str, str]) -> Path:
    for name, text in notes.items():
        (folder / "Annotations").mkdir(exist_ok=True)
        (folder / "Annotations" / f"{name}.xml").write_bytes(text)
    for name, text in lists.items():
        (folder / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
        (folder / "ImageSets/Main" / f"{name}.txt").write_text(text)
    return folder


def test_pixels_are_counted_from_one_and_the_last_belongs_to_the_box() -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    assert read_objects(note(("cat", 1, 1, 10, 5, ""), ("dog", 0, 3, 4.5, 9, part))) == [
        ("cat", 0, 0, 10, 5),
        ("dog", 0, 2, 4.5, 9),
    ]
    assert read_objects(note()) == []


BOMB = b"<!DOCTYPE a [<!ENTITY x '" + b"y" * 100 + b"'><!ENTITY z '&x;&x;&x;&x;&x;&x;&x;&x;'>]><a>&z;</a>"


@pytest.mark.parametrize(
    "xml",
    [
        b"", b"no xml", b"<annotation>", BOMB, b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><annotation><object><name>&x;</name></object></annotation>",
        note(("cat", "one", 1, 2, 2, "")), b"<annotation><object><name>cat</name></object></annotation>", b"\xff\xfe\x00",
    ],
)  # fmt: skip
def test_what_is_no_annotation_is_refused(xml: bytes) -> None:
    with pytest.raises(ValueError):
        read_objects(xml)


def test_lists_are_splits_and_what_is_missing_is_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "loose"):
        picture(tmp_path / f"JPEGImages/{name}.jpg")
    cat = note(("cat", 1, 1, 10, 5, ""))
    written(
        tmp_path,
        {"a": cat, "b": note(), "c": b"<broken", "gone": cat},
        {"train": "a\nc  1\n", "val": "b\n", "trainval": "a\nb\n", "cat_train": "loose\n"},
    )
    rows = {name: rest for name, *rest in told(voc(tmp_path))}
    assert corners(rows["JPEGImages/a.jpg"][1]) == [("cat", 0, 0, 10, 5)] and rows["JPEGImages/a.jpg"][0] == "train"
    assert rows["JPEGImages/b.jpg"] == ["valid", ()]
    assert rows["JPEGImages/c.jpg"] == [None, "bad annotation"]
    assert rows["JPEGImages/loose.jpg"] == [None, None]
    assert rows["JPEGImages/gone.jpg"][0] is None and len(rows) == 5
    assert voc(tmp_path / "JPEGImages") is None


def test_an_annotation_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zhuji.data.picture_sets import voc as module

    picture(tmp_path / "JPEGImages/a.jpg")
    written(tmp_path, {"a": note(("cat", 1, 1, 10, 5, ""))}, {})
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    assert told(voc(tmp_path)) == [("JPEGImages/a.jpg", None, "annotation too large")]
