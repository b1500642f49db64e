from pathlib import Path

from tests.data.picture_sets.made import picture, told
from zhuji.data.picture_sets.classes import by_class, plain


def test_folders_are_classes_and_may_stand_in_splits(tmp_path: Path) -> None:
    for name in ("cat/2.png", "cat/1.png", "dog/1.jpg", ".thumbs/1.png", "empty/x.txt"):
        picture(tmp_path / name) if not name.endswith("txt") else (tmp_path / "empty").mkdir()
    assert told(by_class(tmp_path)) == [("cat/1.png", None, "cat"), ("cat/2.png", None, "cat"), ("dog/1.jpg", None, "dog")]


def test_splits_of_folders(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "val/cat/1.png", "test/dog/1.png"):
        picture(tmp_path / name)
    assert told(by_class(tmp_path)) == [
        ("test/dog/1.png", "test", "dog"), ("train/cat/1.png", "train", "cat"), ("val/cat/1.png", "valid", "cat"),
    ]  # fmt: skip


def test_pictures_of_which_nothing_is_known(tmp_path: Path) -> None:
    one = picture(tmp_path / "a.png")
    assert told(plain(one)) == [("a.png", None, None)]
    picture(tmp_path / "b.png")
    assert told(plain(tmp_path)) == [("a.png", None, None), ("b.png", None, None)]
    assert by_class(tmp_path) is None
    picture(tmp_path / "more/train/a.png")
    assert told(plain(tmp_path / "more")) == [("train/a.png", "train", None)]
    (tmp_path / "none").mkdir()
    assert plain(tmp_path / "none") is None
