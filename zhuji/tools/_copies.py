"""A folder of copies of pictures, each with something painted on it; the pictures themselves are never touched."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from zhuji.core.answers import Prediction
from zhuji.core.errors import BadSetting
from zhuji.core.files import atomic_file
from zhuji.core.log import in_language
from zhuji.core.records import Picture
from zhuji.core.unreadable import NotEmpty
from zhuji.data.pictures import ENDINGS, opened, quietly
from zhuji.model.heat import Heat
from zhuji.model.predictor import Predictor
from zhuji.tools.painting.answers import paintable, painted
from zhuji.tools.painting.canvas import as_bytes
from zhuji.tools.painting.heat import heated

if TYPE_CHECKING:
    from PIL.Image import Image

_PHOTOGRAPHS = (".jpg", ".jpeg", ".jpe", ".mpo")
"""Pictures that lost something when they were written: their copies are JPEG as well, all others PNG."""


class Copies:
    """Copies go into `folder`, which must be new or empty: so none lands on a picture, nor on the copy of an earlier call. Each is written
    whole or not at all."""

    def __init__(self, folder: Path, predictor: Predictor) -> None:
        """Raises BadSetting for a model that reads no pictures, NotEmpty."""
        task = predictor.model.task
        if predictor.model.modality.reads != "pictures":
            rule = in_language("is for models that read pictures", "只用于读取图片的模型")
            raise BadSetting(key="--draw", rule=rule, value=str(folder))
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise NotEmpty(file=folder)
        self.folder, self.classes, self.boxes = folder, task.classes, task.needs == "boxes"
        self._taken = set[str]()

    def add(self, file: str, row: int, picture: Picture, prediction: Prediction) -> Path:
        """A copy with an answer, and where it lies. `row`: its number in `file`. Raises BadSetting for an answer that cannot be drawn."""
        if not paintable(prediction.answer):
            rule = in_language(
                "is for classes, numbers and boxes: this model answers otherwise",
                "只用于类别、数值与方框：该模型的回答不属于此类",
            )
            raise BadSetting(key="--draw", rule=rule, value=str(self.folder))
        with quietly():
            image = painted(opened(picture).image, prediction, self.classes, boxes=self.boxes)
        return self._write(self._name(file, row, picture), image)

    def add_heat(self, file: str, row: int, picture: Picture, heat: Heat) -> Path:
        """A copy beside one with what speaks for an answer, and where it lies."""
        with quietly():
            image = heated(opened(picture).image, heat, self.classes)
        return self._write(self._name(file, row, picture), image)

    def _write(self, name: str, image: Image) -> Path:
        path = self.folder / name
        with atomic_file(path) as out:
            out.write(as_bytes(image, "JPEG" if path.suffix == ".jpg" else "PNG"))
        return path

    def _name(self, file: str, row: int, picture: Picture) -> str:
        """As the picture is called below its source; where that is not known, as its file is, or by its row."""
        known = file if file.lower().endswith(ENDINGS) else Path(picture.path).name or f"row-{row}"
        parts = [part for part in PurePosixPath(known.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        place = PurePosixPath(*(part.replace(":", "_").replace("\0", "_") for part in parts or [f"row-{row}"]))
        ending = ".jpg" if place.suffix.lower() in _PHOTOGRAPHS else ".png"
        stem = str(place.with_suffix("")) if place.suffix.lower() in ENDINGS else str(place)
        name, number = f"{stem}{ending}", 1
        # Some file systems do not tell "A.png" from "a.png".
        while name.lower() in self._taken:
            number += 1
            name = f"{stem}-{number}{ending}"
        self._taken.add(name.lower())
        return name
