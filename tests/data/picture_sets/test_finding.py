from pathlib import Path

import pytest

from tests.data.picture_sets.made import picture
from tests.data.picture_sets.test_coco import box
from tests.data.picture_sets.test_coco import written as coco
from tests.data.picture_sets.test_voc import note
from tests.data.picture_sets.test_voc import written as voc
from tests.data.picture_sets.test_yolo import LINE
from tests.data.picture_sets.test_yolo import written as yolo
from zhuji.core.errors import UnknownFormat
from zhuji.data.picture_sets.finding import annotated, labelled, lists, single
from zhuji.data.settings import DataSettings
from zhuji.data.sources import Source, open_source


def source(path: Path) -> Source:
    return open_source(DataSettings(path=str(path)))


def test_every_kind_is_told_apart(tmp_path: Path) -> None:
    for kind in ("voc/JPEGImages", "coco", "yolo/images", "classes/cat", "classes/dog", "plain", "listed"):
        picture(tmp_path / kind / "a.jpg")
    voc(tmp_path / "voc", {"a": note(("cat", 1, 1, 10, 5, ""))}, {})
    coco(tmp_path / "coco/a.json", [(1, "a.jpg")], [box(1, 7, [1, 2, 3, 4])])
    yolo(tmp_path / "yolo", {"labels/a.txt": LINE})
    (tmp_path / "listed/metadata.csv").write_text("file_name,label\na.jpg,cat\n")
    formats = {kind: source(tmp_path / kind).format for kind in ("voc", "coco", "yolo", "classes", "plain", "listed")}
    assert formats == {
        "voc": "VOC",
        "coco": "COCO",
        "yolo": "YOLO",
        "classes": "pictures by class",
        "plain": "pictures",
        "listed": "csv",
    }
    assert source(tmp_path / "plain/a.jpg").format == "picture"
    assert source(tmp_path / "coco/a.json").format == "COCO"
    assert annotated(tmp_path / "classes") is None and labelled(tmp_path / "voc/Annotations") is None


def test_lists_by_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        picture(tmp_path / split / "a.png")
        (tmp_path / split / "metadata.csv").write_text("file_name,label\na.png,cat\n")
    assert [(split, path.parent.name) for split, path in lists(tmp_path)] == [("test", "test"), ("train", "train")]
    assert [part.split for part in source(tmp_path).parts] == ["test", "train"]


def test_tables_by_split_come_before_folders_of_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    (tmp_path / "train.csv").write_text("image,label\nimages/a.png,cat\n")
    assert source(tmp_path).format == "csv"


def test_a_picture_without_an_ending_is_known_by_its_bytes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png").rename(tmp_path / "upload")
    assert single(tmp_path / "upload") is not None
    (tmp_path / "text").write_text("no picture")
    assert single(tmp_path / "text") is None and single(tmp_path / "rows.csv") is None


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(UnknownFormat, match="pictures"):
        source(tmp_path)


def test_a_set_of_pictures_has_one_fingerprint(tmp_path: Path) -> None:
    picture(tmp_path / "cat/a.png"), picture(tmp_path / "dog/b.png", seed=1)
    first = source(tmp_path).fingerprint()
    assert list(first) == [tmp_path.name]
    assert first[tmp_path.name]["bytes"] == sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    (tmp_path / "dog/b.png").rename(tmp_path / "dog/c.png")
    assert source(tmp_path).fingerprint() != first
