"""Pictures that a model makes, as files: numbered, on one sheet, and with a note of how to get them again."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core.files import atomic_folder, write_json
from zhuji.model.draw import DrawSettings, drawing, labels_of
from zhuji.model.predictor import Predictor
from zhuji.tools._out import claim
from zhuji.tools._sheet import Strip, image_of, png, sheet
from zhuji.training.transfer import digest

SHEET, NOTE = "sheet.png", "drawn.json"
COLUMNS, ROWS = 10, 40
"""Pictures of a class, and classes, on a sheet; without classes so many columns, and so many rows of them."""


@dataclass(frozen=True)
class Drawn:
    """`files` in `folder`, in the order drawn; `by_class`: how many of each, empty where the model knows no classes. `model`: hash of the weights."""

    folder: Path
    files: tuple[str, ...]
    by_class: Mapping[str, int]
    settings: Mapping[str, Any]
    model: str
    seconds: float

    @property
    def sheet(self) -> Path:
        return self.folder / SHEET

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "count": len(self.files), "sheet": str(self.sheet), "by_class": dict(self.by_class),
            "settings": dict(self.settings), "model": self.model, "seconds": round(self.seconds, 3), "files": list(self.files),
        }  # fmt: skip


def draw(predictor: Predictor, settings: DrawSettings, out: Path) -> Drawn:
    """Draw into the folder `out`, which must be new or empty and is filled whole or not at all: a PNG for each picture, a sheet of the first of
    each class, and `drawn.json`. One picture is held at a time, but for those of the sheet.

    Raises NotEmpty, ImpossiblePair for a model that does not draw, UnknownName and BadSetting for wishes that it cannot meet."""
    begun = time.monotonic()
    labels = labels_of(predictor.model, settings)
    claim(out)
    hash_, names = digest(predictor.model), [_name(number, settings.count, labels) for number in range(settings.count)]
    shown: dict[str, list[np.ndarray]] = {}
    with atomic_folder(out) as partial:
        for number, array in enumerate(drawing(predictor.model, settings)):
            (partial / names[number]).write_bytes(as_png(array))
            label = "" if labels is None else labels[number]
            if label in shown or len(shown) < ROWS:
                kept = shown.setdefault(label, [])
                if len(kept) < (COLUMNS * ROWS if labels is None else COLUMNS):
                    kept.append(array)
        (partial / SHEET).write_bytes(png(sheet(_strips(shown))))
        files = [{"file": name, "label": None if labels is None else labels[i]} for i, name in enumerate(names)]
        write_json(partial / NOTE, {"model": hash_, "settings": settings.plain(), "files": files})
    return Drawn(out, tuple(names), Counter(labels or ()), settings.plain(), hash_, time.monotonic() - begun)


def as_png(array: np.ndarray) -> bytes:
    """A picture `(H, W, 3)` or `(H, W, 1)` uint8 as a file, which loses nothing."""
    return png(image_of(array))


def _name(number: int, count: int, labels: tuple[str, ...] | None) -> str:
    """`0007-cat.png`; a label may hold what a file's name cannot."""
    slug = "" if labels is None else "-" + (re.sub(r"[^\w-]+", "_", labels[number])[:60] or "_")
    return f"{number + 1:0{max(4, len(str(count)))}d}{slug}.png"


def _strips(shown: Mapping[str, list[np.ndarray]]) -> list[Strip]:
    if set(shown) != {""}:
        return [Strip(label, shown[label], first=True) for label in sorted(shown)]
    (arrays,) = shown.values()
    return [Strip("", arrays[i : i + COLUMNS]) for i in range(0, len(arrays), COLUMNS)]
