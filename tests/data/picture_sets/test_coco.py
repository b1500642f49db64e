import json
from pathlib import Path

import pytest

from tests.data.picture_sets.made import corners, picture, told
from zhuji.core.errors import DamagedFile
from zhuji.data.picture_sets.coco import CROWD, STRANGE, coco
from zhuji.data.picture_sets.entries import NO_AREA

CLASSES = [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}]


def box(image: int, kind: int, where: list[float], **more: object) -> dict[str, object]:
    return {"id": 1, "image_id": image, "category_id": kind, "bbox": where, **more}


def written(path: Path, images: list[tuple[int, str]], notes: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [{"id": number, "file_name": name, "width": 20, "height": 10} for number, name in images]
    path.write_text(json.dumps({"info": {}, "images": files, "annotations": notes, "categories": CLASSES}))
    return path


def test_boxes_are_corner_width_and_height(tmp_path: Path) -> None:
    picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    notes = [
        box(1, 7, [1, 2, 3, 4]), box(1, 9, [0, 0, 5.5, 5]), box(1, 7, [0, 0, 0, 5]), box(1, 7, [3, 3, -2, 5]),
        box(1, 7, [0, 0, 9, 9], iscrowd=1), box(1, 8, [0, 0, 9, 9]),
    ]  # fmt: skip
    file = written(tmp_path / "notes.json", [(1, "a.png"), (2, "b.png")], notes)
    table = coco(file)
    (name, split, objects), other = told(table)
    assert (name, split) == ("a.png", None)
    assert corners(objects) == [("cat", 1, 2, 4, 6), ("dog", 0, 0, 5.5, 5)]
    assert other == ("b.png", None, ())
    assert table is not None and next(iter(table.file_rows())).changes == (NO_AREA, CROWD, STRANGE)
    assert table.files[0] == file


@pytest.mark.parametrize(
    ("notes", "pictures", "split"),
    [
        ("annotations/instances_train2017.json", "train2017", "train"),
        ("annotations/instances_val2017.json", "images/val2017", "valid"),
        ("train/_annotations.coco.json", "train", "train"),
        ("test/_annotations.coco.json", "test", "test"),
        ("annotations/everything.json", "images", None),
        ("labels.json", "images", None),
    ],
)
def test_pictures_are_found_where_people_put_them(tmp_path: Path, notes: str, pictures: str, split: str | None) -> None:
    picture(tmp_path / pictures / "a.png")
    written(tmp_path / notes, [(1, "a.png")], [box(1, 7, [1, 2, 3, 4])])
    (tmp_path / "annotations").mkdir(exist_ok=True)
    written(tmp_path / "annotations/captions_train2017.json", [(1, "a.png")], [])
    [(name, found, objects)] = told(coco(tmp_path))
    assert (name, found, len(corners(objects))) == (f"{pictures}/a.png", split, 1)


def test_what_is_not_coco(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('{"text": "a", "label": "b"}\n')
    assert coco(tmp_path / "rows.json") is None and coco(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ['{"images": [', '{"images": [{"id": 1}], "annotations": [], "categories": []}', '{"images": 5, "categories": []}',
     '{"images": [], "annotations": [{"image_id": 1, "category_id": 2, "bbox": [1, 2]}], "categories": [{"id": 2, "name": "x"}]}',
     '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 1' + "0" * 400 + ']}], '
     '"categories": [{"id": 2, "name": "x"}]}'],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DamagedFile, match=r"a\.json"):
        coco(tmp_path)
