"""Which kind of set of pictures or sounds a folder is."""

from __future__ import annotations

from pathlib import Path

from zhuji.data.media import KINDS
from zhuji.data.names import split_name
from zhuji.data.picture_sets.classes import by_class, plain
from zhuji.data.picture_sets.coco import coco
from zhuji.data.picture_sets.entries import MediaTable
from zhuji.data.picture_sets.voc import voc
from zhuji.data.picture_sets.yolo import yolo

_LISTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def lists(folder: Path) -> list[tuple[str | None, Path]]:
    """Tables that list the files of a folder or of its folders by split, each with the split."""
    inside = [(split_name(path.name), path) for path in sorted(folder.iterdir()) if path.is_dir()]
    places: list[tuple[str | None, Path]] = [(None, folder), *((split, path) for split, path in inside if split)]
    found = [(split, place / name) for split, place in places for name in _LISTS if (place / name).is_file()]
    # A list in the folder itself speaks for all that lies below.
    return found[:1] if found and found[0][0] is None else found


def annotated(path: Path) -> MediaTable | None:
    """Pictures with boxes: VOC, COCO or YOLO; None if it is none of these. Raises DamagedFile."""
    if path.is_file():
        return coco(path) if path.suffix.lower() == ".json" else None
    return voc(path) or coco(path) or yolo(path)


def labelled(folder: Path) -> MediaTable | None:
    """Pictures or sounds in folders by class, or just so; of both, those of which there are more."""
    found = [table for kind in KINDS if (table := by_class(folder, kind) or plain(folder, kind))]
    return max(found, key=lambda table: len(table.entries), default=None)


def single(path: Path) -> MediaTable | None:
    """A file that is a picture or a sound, by its name or, where that says nothing, by its first bytes."""
    if path.suffix:
        return next((plain(path, kind) for kind in KINDS if path.suffix.lower() in kind.endings), None)
    with open(path, "rb") as file:
        beginning = file.read(256)
    return next((plain(path, kind) for kind in KINDS if kind.begins(beginning)), None)
