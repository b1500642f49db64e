from pathlib import Path

import pytest

from tests.data.picture_sets.made import corners, picture, told
from zhuji.core.errors import ZhujiError
from zhuji.data.picture_sets.yolo import read_lines, yolo

LINE = "1 0.5 0.5 0.2 0.4\n"


def written(folder: Path, notes: dict[str, str], yaml: str = "") -> Path:
    """Pictures of 20 × 10 pixels with these notes; None where a picture has none."""
    for name, text in notes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if yaml:
        (folder / "data.yaml").write_text(yaml)
    return folder


def test_shares_become_pixels(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png"), picture(tmp_path / "images/empty.png"), picture(tmp_path / "images/free.png")
    written(tmp_path, {"labels/a.txt": LINE + "0 0.1 0.1 0.4 0.2\n\n", "labels/empty.txt": "", "classes.txt": "cat\ndog\n"})
    (a, empty, free) = told(yolo(tmp_path))
    assert corners(a[2]) == [("dog", pytest.approx(8), pytest.approx(3), pytest.approx(12), pytest.approx(7)),
                             ("cat", pytest.approx(-2), pytest.approx(0), pytest.approx(6), pytest.approx(2))]  # fmt: skip
    assert empty == ("images/empty.png", None, ()) and free == ("images/free.png", None, ())


@pytest.mark.parametrize(
    ("images", "labels", "yaml"),
    [
        ("images/train", "labels/train", ""),
        ("train/images", "train/labels", ""),
        ("train/images", "train/labels", "names: [cat, dog]\ntrain: ../train/images\nval: ../valid/images\n"),
        ("images/train", "labels/train", "path: .\nnames: {0: cat, 1: dog}\ntrain: images/train\n"),
        ("set/images/a", "set/labels/a", "path: set\nnames: {0: cat, 1: dog}\ntrain: images/a\n"),
    ],
)
def test_splits_stand_where_people_put_them(tmp_path: Path, images: str, labels: str, yaml: str) -> None:
    picture(tmp_path / images / "a.png")
    written(tmp_path, {f"{labels}/a.txt": LINE}, yaml)
    [(name, split, objects)] = told(yolo(tmp_path))
    assert (name, split) == (f"{images}/a.png", "train")
    assert corners(objects)[0][0] == ("dog" if yaml else "1")


def test_outlines_and_scores() -> None:
    names = {0: "cat"}
    assert read_lines("0 0.1 0.2 0.5 0.2 0.5 0.8", names) == [("cat", 0.1, 0.2, 0.5, 0.8)]
    [(_, *numbers)] = read_lines("0 0.5 0.5 0.2 0.4 0.9", names)
    assert numbers == pytest.approx([0.4, 0.3, 0.6, 0.7])


@pytest.mark.parametrize(
    "text", ["cat 0 0 1 1", "0 1 2", "0.5 0 0 1 1", "-1 0 0 1 1", "0 0 0 1 1 0 0 1", "0 a b c d", "inf 0 0 1 1", "nan 0 0 1 1"]
)
def test_lines_that_are_no_boxes(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        read_lines(text, {})
    picture(tmp_path / "images/a.png")
    written(tmp_path, {"labels/a.txt": text})
    assert told(yolo(tmp_path)) == [("images/a.png", None, "bad annotation")]


def test_a_picture_that_cannot_be_read_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"nothing of the kind")
    written(tmp_path, {"labels/a.txt": LINE})
    assert told(yolo(tmp_path)) == [("images/a.png", None, "not a picture")]


def test_what_is_not_yolo(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    assert yolo(tmp_path) is None
    (tmp_path / "data.yaml").write_text("names: [cat]\ntrain: images\n")
    assert yolo(tmp_path) is None


@pytest.mark.parametrize("yaml", ["names: {cat: dog}\ntrain: images\n", "names: [a\n", "- a\n"])
def test_a_yaml_that_cannot_be_understood(tmp_path: Path, yaml: str) -> None:
    picture(tmp_path / "images/a.png")
    written(tmp_path, {"labels/a.txt": LINE}, yaml)
    with pytest.raises(ZhujiError, match=r"data\.yaml"):
        yolo(tmp_path)
