"""Pictures or sounds by class, `folder/<class>/*.png` or `folder/<train|valid|test>/<class>/*.png`; or some of which nothing is known."""

from __future__ import annotations

from pathlib import Path

from zhuji.data.media import PICTURES, Kind
from zhuji.data.names import split_name
from zhuji.data.picture_sets.entries import Entry, MediaTable, files_in


def by_class(folder: Path, kind: Kind = PICTURES) -> MediaTable | None:
    """The files of such a folder, in order of split and class; None if it is not one."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    splits = [(split, path) for path in inside if (split := split_name(path.name))]
    deep = [entry for split, path in splits for entry in _classes(path, split, kind)]
    entries = deep or _classes(folder, None, kind)
    return MediaTable(folder, entries, f"{kind.reads} by class", kind=kind) if entries else None


def _classes(folder: Path, split: str | None, kind: Kind) -> list[Entry]:
    classes = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return [Entry(file, split, path.name) for path in classes for file in files_in(path, kind)]


def plain(path: Path, kind: Kind = PICTURES) -> MediaTable | None:
    """One file, or all that lie in a folder or, where they are in folders by split, in these."""
    if path.is_file():
        return MediaTable(path.parent, [Entry(path)], kind.one, kind=kind)
    entries = [Entry(file) for file in files_in(path, kind)]
    if not entries:
        inside = [(split, folder) for folder in sorted(path.iterdir()) if (split := split_name(folder.name))]
        entries = [Entry(file, split) for split, folder in inside for file in files_in(folder, kind)]
    return MediaTable(path, entries, kind.reads, kind=kind) if entries else None
