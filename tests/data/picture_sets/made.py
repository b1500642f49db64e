"""Small pictures for the tests of sets of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from zhuji.core.records import Box
from zhuji.data.picture_sets.entries import MediaTable


def picture(path: Path, size: tuple[int, int] = (20, 10), seed: int = 0) -> Path:
    """A file of coloured noise of this width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)
    return path


def told(table: MediaTable | None) -> list[tuple[str, object, object]]:
    """(path below the folder, split, what is said) of every row; of one that cannot be read the problem."""
    assert table is not None
    rows = list(table.file_rows())
    label = next((name for name in ("objects", "label") if name in table.columns), "")
    return [
        (row.name, None, row.problem) if row.values is None else (row.name, row.values.get("split"), row.values.get(label))
        for row in rows
    ]


def corners(objects: object) -> list[tuple[str, float, float, float, float]]:
    assert isinstance(objects, tuple)
    found = [one for one in objects if isinstance(one, Box)]
    return [(one.label, one.left, one.top, one.right, one.bottom) for one in found]
