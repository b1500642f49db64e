"""Objects in pictures as COCO writes them (Lin et al. 2014; cocodataset.org, "data format"): one JSON file a split, boxes as x, y, width,
height from the upper left corner."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from zhuji.core.errors import DamagedFile
from zhuji.core.log import in_language
from zhuji.data.names import split_name
from zhuji.data.picture_sets.entries import Corners, Entry, MediaTable, boxes

_LOOK = 4096
"""Characters of a file that are looked at: its keys stand in any order, so there must be one that only COCO has."""
_KEYS = ('"images"', '"annotations"', '"categories"', '"info"', '"licenses"')
CROWD = "box of a crowd left out"
STRANGE = "box of no known class left out"


def coco(path: Path) -> MediaTable | None:
    """The set that a JSON file, or those in a folder, its `annotations` or its folders by split, describe; None if none does.

    Raises DamagedFile.
    """
    if path.is_file():
        return MediaTable(path.parent, _entries(path, None), "COCO", [path]) if _looks_so(path) else None
    places = [path, path / "annotations", *(p for p in sorted(path.iterdir()) if p.is_dir() and split_name(p.name))]
    found = [file for place in places if place.is_dir() for file in sorted(place.glob("*.json")) if _looks_so(file)]
    found = [file for file in found if _wanted(file)]
    entries = [entry for file in found for entry in _entries(file, _split_of(file))]
    return MediaTable(path, entries, "COCO", found) if found else None


def _looks_so(file: Path) -> bool:
    with open(file, "rb") as opened:
        head = opened.read(_LOOK).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return head.startswith("{") and any(head[1:].lstrip().startswith(key) for key in _KEYS)


def _wanted(file: Path) -> bool:
    """Captions and key points of the same pictures stand in files beside that of the boxes."""
    return not file.name.startswith(("captions", "person_keypoints", "image_info"))


def _split_of(file: Path) -> str | None:
    """`instances_train2017.json`, `train/_annotations.coco.json` -> train."""
    words = [word.rstrip("0123456789") for word in file.stem.replace("-", "_").split("_")]
    return next((split for word in (*words, file.parent.name) if (split := split_name(word))), None)


def _entries(file: Path, split: str | None) -> list[Entry]:
    try:
        told = json.loads(file.read_bytes())
        images, classes = _by_id(told["images"]), {one["id"]: str(one["name"]) for one in told["categories"]}
        places = {number: str(one["file_name"]) for number, one in images.items()}
        corners, changes = _boxes_of(told.get("annotations", []), classes)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        why = " ".join(str(error).split())[:100] or type(error).__name__
        raise DamagedFile(file=file, format="COCO", why=in_language(why, f"「{why}」")) from None
    folder = _folder_of(file, list(places.values()))
    entries = list[Entry]()
    for number, name in places.items():
        kept, lost = boxes(corners[number])
        entries.append(Entry(folder / name, split, kept, changes=(*lost, *sorted(changes[number]))))
    return entries


def _by_id(rows: Sequence[Mapping[str, Any]]) -> dict[Any, Mapping[str, Any]]:
    return {one["id"]: one for one in rows}


def _boxes_of(
    annotations: Sequence[Mapping[str, Any]], classes: Mapping[Any, str]
) -> tuple[Mapping[Any, list[Corners]], Mapping[Any, set[str]]]:
    """Of each picture: its boxes, and what was left out."""
    corners: defaultdict[Any, list[Corners]] = defaultdict(list)
    changes: defaultdict[Any, set[str]] = defaultdict(set)
    for one in annotations:
        label = classes.get(one["category_id"])
        if one.get("iscrowd") or label is None:
            changes[one["image_id"]].add(CROWD if one.get("iscrowd") else STRANGE)
            continue
        left, top, width, height = map(float, cast(Sequence[float], one["bbox"]))
        # Corners in the wrong order are set right, but a negative width is no width.
        corners[one["image_id"]].append((label, left, top, left + max(width, 0.0), top + max(height, 0.0)))
    return corners, changes


def _folder_of(file: Path, names: Sequence[str]) -> Path:
    """Where the pictures of a file lie: beside it, or in a folder that is called after the split or `images`."""
    above = file.parent.parent
    split = file.stem.rpartition("_")[2]
    places = [file.parent, file.parent / "images", above / split, above / "images" / split, above / "images", above,
              file.parent / split]  # fmt: skip
    first = names[:20]
    return next((place for place in places if any((place / name).is_file() for name in first)), file.parent)
