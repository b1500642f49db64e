"""Objects in pictures as PASCAL VOC writes them (Everingham et al. 2010): an XML file a picture in `Annotations`, pictures in `JPEGImages`,
names by split in `ImageSets/Main`. Pixels are counted from 1, and the last one belongs to the box."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from zhuji.data.names import split_name
from zhuji.data.picture_sets.entries import Corners, Entry, MediaTable, boxes, files_in

MOST_BYTES = 1 << 24
"""Bytes of an annotation from which it is not read."""
_NUMBERS = ("xmin", "ymin", "xmax", "ymax")


def voc(folder: Path) -> MediaTable | None:
    """The set in such a folder; None if it is not one. A picture that stands in no list has no split."""
    notes = folder / "Annotations"
    if not notes.is_dir():
        return None
    pictures = next((place for name in ("JPEGImages", "images", "Images") if (place := folder / name).is_dir()), notes)
    files = {path.stem: path for path in files_in(pictures)}
    told = {path.stem: path for path in sorted(notes.glob("*.xml"))}
    splits = _splits(folder / "ImageSets" / "Main")
    entries = [
        _entry(name, files.get(name, pictures / f"{name}.jpg"), told.get(name), splits.get(name))
        for name in sorted({*files, *told, *splits})
    ]
    return MediaTable(folder, entries, "VOC", list(told.values())) if entries else None


def _splits(folder: Path) -> dict[str, str]:
    """Name of a picture -> its split. Lists of one class (`cat_train.txt`) and of several splits (`trainval.txt`) say nothing new."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        if split := split_name(path.stem):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            found.update((line.split()[0], split) for line in lines if line.strip())
    return found


def _entry(name: str, picture: Path, notes: Path | None, split: str | None) -> Entry:
    if notes is None:
        return Entry(picture, split)
    if notes.stat().st_size > MOST_BYTES:
        return Entry(picture, split, problem="annotation too large")
    try:
        kept, changes = boxes(read_objects(notes.read_bytes()))
    except ValueError:
        return Entry(picture, split, problem="bad annotation")
    return Entry(picture, split, kept, changes=changes)


def read_objects(xml: bytes) -> list[Corners]:
    """The objects of an annotation. Raises ValueError where it is no XML, defines entities or lacks a number."""
    found = _Objects()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = found.begin, found.end
    parser.CharacterDataHandler = found.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from None
    return found.corners


def _refuse(*_: object) -> None:
    """A document type may define entities, a few lines of which stand for gigabytes, or for a file of this machine."""
    raise ValueError("an annotation may not have a document type")


@dataclass
class _Objects:
    """Names and corners of `object` elements; those of `part` elements inside them are left alone."""

    corners: list[Corners] = field(default_factory=list[Corners])
    path: list[str] = field(default_factory=list[str])
    held: dict[str, str] = field(default_factory=dict[str, str])

    def begin(self, name: str, _: dict[str, str]) -> None:
        self.path.append(name)
        if self.path[1:] == ["object"]:
            self.held = {}

    def text(self, data: str) -> None:
        if self.path[1:2] == ["object"] and (
            self.path[2:] == ["name"] or (self.path[2:3] == ["bndbox"] and len(self.path) == 4)
        ):
            self.held[self.path[-1]] = self.held.get(self.path[-1], "") + data

    def end(self, name: str) -> None:
        if self.path[1:] == ["object"]:
            if missing := [key for key in ("name", *_NUMBERS) if key not in self.held]:
                raise ValueError(f"an object must have {missing[0]}")
            left, top, right, bottom = (float(self.held[key]) for key in _NUMBERS)
            self.corners.append((self.held["name"].strip(), max(left - 1, 0.0), max(top - 1, 0.0), right, bottom))
        self.path.pop()
