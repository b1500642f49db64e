"""Pictures by class, `folder/<class>/*.png` or `folder/<train|valid|test>/<class>/*.png`; or pictures of which nothing is known."""

from __future__ import annotations

from pathlib import Path

from zhuji.data.names import split_name
from zhuji.data.picture_sets.entries import Entry, PictureTable, pictures_in


def by_class(folder: Path) -> PictureTable | None:
    """The pictures of such a folder, in order of split and class; None if it is not one."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    splits = [(split, path) for path in inside if (split := split_name(path.name))]
    deep = [entry for split, path in splits for entry in _classes(path, split)]
    entries = deep or _classes(folder, None)
    return PictureTable(folder, entries, "pictures by class") if entries else None


def _classes(folder: Path, split: str | None) -> list[Entry]:
    classes = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return [Entry(file, split, path.name) for path in classes for file in pictures_in(path)]


def plain(path: Path) -> PictureTable | None:
    """One picture, or all that lie in a folder or, where they are in folders by split, in these."""
    if path.is_file():
        return PictureTable(path.parent, [Entry(path)], "picture")
    entries = [Entry(file) for file in pictures_in(path)]
    if not entries:
        inside = [(split, folder) for folder in sorted(path.iterdir()) if (split := split_name(folder.name))]
        entries = [Entry(file, split) for split, folder in inside for file in pictures_in(folder)]
    return PictureTable(path, entries, "pictures") if entries else None
