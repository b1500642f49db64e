"""Objects in pictures as YOLO writes them (github.com/AlexeyAB/darknet; docs.ultralytics.com/datasets/detect): for `images/…/a.jpg` a file
`labels/…/a.txt`, a line an object: number of the class, then centre, width and height as shares of the picture. A picture without such a
file has no object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from zhuji.core.config import read_yaml
from zhuji.core.errors import DamagedFile
from zhuji.core.log import in_language
from zhuji.core.records import Picture
from zhuji.core.unreadable import PictureError
from zhuji.data.names import split_name
from zhuji.data.picture_sets.entries import Corners, Entry, MediaTable, boxes, files_in
from zhuji.data.pictures import quietly, size_of

_SETTINGS = ("data.yaml", "data.yml", "dataset.yaml")
_NAMES = ("classes.txt", "obj.names", "labels.txt")
MOST_BYTES = 1 << 24


def yolo(folder: Path) -> MediaTable | None:
    """The set in such a folder, or that its data.yaml describes; None if it is not one.

    Raises BadSetting or DamagedFile where the YAML cannot be read.
    """
    file = next((place for name in _SETTINGS if (place := folder / name).is_file()), None)
    told = {} if file is None else read_yaml(file.read_text(encoding="utf-8", errors="replace"), str(file))
    places = list(_places(folder, told))
    if not any(_labels_of(place).is_dir() for _, place in places):
        return None
    try:
        names = _names(folder, told)
    except (ValueError, TypeError) as error:
        raise DamagedFile(file=file, format="YOLO", why=in_language(str(error), f"「{error}」")) from None
    with quietly():
        entries = [_entry(picture, split, names) for split, place in places for picture in files_in(place)]
    notes = [note for entry in entries if (note := _note_of(entry.path)).is_file()]
    return MediaTable(folder, entries, "YOLO", [*([] if file is None else [file]), *notes]) if entries else None


def _places(folder: Path, told: Mapping[str, Any]) -> Iterator[tuple[str | None, Path]]:
    """Folders of pictures, each with its split."""
    root = folder / str(told.get("path") or "")
    root = root if root.is_dir() else folder
    given = [(split, str(place)) for key, place in told.items() if (split := split_name(key)) and isinstance(place, str)]
    for split, place in given:
        # Exports say ../train/images where train stands beside the YAML.
        choices = (root / place, folder / place, folder / place.removeprefix("../"))
        found = next((choice for choice in choices if choice.is_dir()), None)
        if found is not None:
            yield split, found
    if given:
        return
    images = folder / "images"
    inside = [
        (split, path) for path in (sorted(images.iterdir()) if images.is_dir() else ()) if (split := split_name(path.name))
    ]
    beside = [
        (split, path / "images")
        for path in sorted(folder.iterdir())
        if (split := split_name(path.name)) and (path / "images").is_dir()
    ]
    yield from inside or beside or [(None, images)]


def _labels_of(pictures: Path) -> Path:
    """The last folder called `images` on the way is called `labels`."""
    parts = list(pictures.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
        return Path(*parts)
    return pictures


def _note_of(picture: Path) -> Path:
    return (_labels_of(picture.parent) / picture.name).with_suffix(".txt")


def _names(folder: Path, told: Mapping[str, Any]) -> Mapping[int, str]:
    names = told.get("names")
    if isinstance(names, Mapping):
        return {int(key): str(name) for key, name in cast(Mapping[Any, Any], names).items()}
    if isinstance(names, list):
        listed = [str(name) for name in cast(list[Any], names)]
    else:
        file = next((place for name in _NAMES if (place := folder / name).is_file()), None)
        listed = [] if file is None else file.read_text(encoding="utf-8", errors="replace").split("\n")
    return {number: name.strip() for number, name in enumerate(listed) if name.strip()}


def _entry(picture: Path, split: str | None, names: Mapping[int, str]) -> Entry:
    note = _note_of(picture)
    if not note.is_file():
        return Entry(picture, split, ())
    if note.stat().st_size > MOST_BYTES:
        return Entry(picture, split, problem="annotation too large")
    try:
        shares = read_lines(note.read_text(encoding="utf-8"), names)
        width, height = size_of(Picture(str(picture))) if shares else (1, 1)
    except PictureError as error:
        return Entry(picture, split, problem=error.cause)
    except ValueError:
        return Entry(picture, split, problem="bad annotation")
    kept, changes = boxes((label, a * width, b * height, c * width, d * height) for label, a, b, c, d in shares)
    return Entry(picture, split, kept, changes=changes)


def read_lines(text: str, names: Mapping[int, str]) -> list[Corners]:
    """The objects of a file, corners as shares of the picture; of an outline the box around it. A class without a name is called by its
    number. Raises ValueError."""
    found = list[Corners]()
    for line in filter(str.strip, text.splitlines()):
        number, *rest = (float(word) for word in line.split())
        if len(rest) < 4 or (len(rest) > 5 and len(rest) % 2) or not number.is_integer() or number < 0:
            raise ValueError(f"a line must be a class and a box or an outline: {line[:80]}")
        if len(rest) > 5:
            left, top, right, bottom = min(rest[::2]), min(rest[1::2]), max(rest[::2]), max(rest[1::2])
        else:  # a fifth number says how sure a model was
            x, y, width, height = rest[:4]
            left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        found.append((names.get(int(number), str(int(number))), left, top, right, bottom))
    return found
