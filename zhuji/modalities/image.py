"""Pictures on a grid of pixels, or of square patches of pixels (Dosovitskiy et al. 2021, section 3.1), all resized to one size.

Shapes: B rows, H and W the picture's size, P the side of a patch, C colours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import numpy as np
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import Generator, Tensor, nn

from zhuji.core.config import Settings
from zhuji.core.contracts import Encoded, Modality, Prediction, Reads
from zhuji.core.log import in_language
from zhuji.core.records import Box, Picture, Record
from zhuji.core.units import Batch, Units, UnitSpec
from zhuji.data.ahead import ahead
from zhuji.data.moments import Moments, drawn
from zhuji.data.pictures import Opened, opened, quietly
from zhuji.nn.pictures.variation import Variation
from zhuji.nn.stems import ValueStem

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels

MEASURED = 10_000
"""Training pictures on which mean and deviation are measured, drawn at random where there are more."""
_FILE = "pixels.json"
_LEAST = 1 / 255
"""Deviation of pictures that are all alike: nothing is divided by zero."""
_VISIBLE = 1e-6
"""Share of the picture that must be left of a box."""


class _Measured(Settings):
    """Of each colour, on a scale from 0 to 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    pictures: int


class Image(Modality):
    """`values (H, W, C)` uint8, with patches `(H/P, W/P, P·P·C)`: the pixels of a patch row by row, colours last. Normalised to mean 0 and
    deviation 1 of the training split when they are put in a batch.

    An input is a `Picture`, or the path or bytes of one.
    """

    reads: ClassVar[Reads] = "pictures"
    cut_by: ClassVar[str] = "edges cut off"

    size: tuple[int, int] = (32, 32)
    """Height and width to which every picture is resized."""
    resize: Literal["fit", "pad", "crop"] = "fit"
    """fit: stretched to the size; pad: as large as fits, with the mean colour around it; crop: as small as covers the size, the middle of it."""
    channels: Literal[1, 3] = 3
    """1: in grey."""
    patch: int = Field(default=1, gt=0)
    """Side of a patch."""
    variation: Variation = Variation()
    """How training pictures are varied by chance."""

    _measured: _Measured | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if min(self.size) < 1 or max(self.size) > 8192:
            raise ValueError(in_language("must have a size of 1 to 8192 pixels a side", "size 每边须为 1 至 8192 像素"))
        if any(side % self.patch for side in self.size):
            raise ValueError(
                in_language(
                    f"must have a size that patches of {self.patch} fill: {self.size[0]} × {self.size[1]} is none",
                    f"size 必须能被边长 {self.patch} 的图块填满：{self.size[0]} × {self.size[1]} 不行",
                )
            )
        return self

    @property
    def spec(self) -> UnitSpec:
        return UnitSpec(grid_ndim=2, num_values=self.patch**2 * self.channels)

    @property
    def grid(self) -> tuple[int, ...]:
        return self.size[0] // self.patch, self.size[1] // self.patch

    @property
    def varies(self) -> bool:
        return not self.variation.off

    @property
    def light(self) -> bool:
        return self.patch == 1

    @property
    def fitted(self) -> bool:
        return self._measured is not None

    @property
    def measured(self) -> _Measured:
        """What `fit` learned."""
        assert self._measured is not None, "the image modality must be fitted first"
        return self._measured

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Measures mean and deviation of each colour. Raises PictureError."""
        pictures = drawn([Picture.of(raw) for raw in inputs], MEASURED, seed)
        moments, count = Moments(self.channels), 0
        for pixels in self._decoded(pictures):
            colours = self._array(pixels.image.resize(_within(pixels.image.size, self.size))).reshape(-1, self.channels)
            # Every picture counts the same, however large it is.
            moments.add(colours.astype(np.float64) / 255, 1 / len(colours))
            count += 1
        return self._with(_Measured(mean=moments.mean, deviation=moments.deviation(_LEAST), pictures=count))

    def normalising(self, mean: Sequence[float], deviation: Sequence[float]) -> Self:
        """A copy that takes these, on a scale from 0 to 1, for what `fit` measures. Raises ValueError where they do not fit its colours."""
        learned = {"mean": tuple(mean), "deviation": tuple(deviation), "pictures": 0}
        return self.with_files({_FILE: json.dumps(learned).encode()})

    def _with(self, measured: _Measured) -> Self:
        fitted = self.model_copy()
        fitted._measured = measured
        return fitted

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`values` and `frame`; `cut` counts what crop cut off, in units. Raises PictureError for what cannot be shown."""
        return [self._encoded(found) for found in self._decoded([Picture.of(raw) for raw in inputs])]

    def _decoded(self, pictures: Sequence[Picture]) -> Iterator[Opened]:
        if len(pictures) == 1:
            with quietly():
                yield opened(pictures[0], self.size)
            return
        with quietly():
            yield from (found for _, found in ahead(pictures, lambda picture: opened(picture, self.size)))

    def _encoded(self, found: Opened) -> Encoded:
        height, width = self.size
        (wide, high), (left, top) = _layout(found.size, self.size, self.resize)
        if self.resize == "pad":
            array = np.empty((height, width, self.channels), np.uint8)
            array[:] = np.rint(np.array(self.measured.mean) * 255)
            array[top : top + high, left : left + wide] = self._array(_resized(found.image, (wide, high)))
        else:
            # The part of the picture, in its own pixels, that fills the size.
            across, down = found.image.width / wide, found.image.height / high
            part = (-left * across, -top * down, (width - left) * across, (height - top) * down)
            array = self._array(_resized(found.image, (width, height), part))
        frame = np.array([wide / found.size[0], high / found.size[1], left, top], np.float32)
        cut = (wide * high - width * height) // self.patch**2 if self.resize == "crop" else 0
        return Encoded(values=self._patched(array), cut=cut, frame=frame)

    def _array(self, image: Pixels) -> np.ndarray:
        array = np.asarray(image.convert("L" if self.channels == 1 else "RGB"))
        return array.reshape(*array.shape[:2], self.channels)

    def _patched(self, array: np.ndarray) -> np.ndarray:
        if self.patch == 1:
            return array
        rows, columns = (side // self.patch for side in self.size)
        cut = array.reshape(rows, self.patch, columns, self.patch, self.channels)
        return np.ascontiguousarray(cut.transpose(0, 2, 1, 3, 4)).reshape(rows, columns, -1)

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        """`values` float32, normalised; a grid larger than the pictures is filled up with zeros to the right and below."""
        stacked = np.stack([cast(np.ndarray, row.values) for row in rows])
        mean, deviation = (
            torch.tensor(values).repeat(self.patch**2) * 255 for values in (self.measured.mean, self.measured.deviation)
        )
        values = torch.from_numpy(stacked).float().sub_(mean).div_(deviation)
        if stacked.shape[1:3] == grid:
            return Units(torch.ones(values.shape[:3], dtype=torch.bool), values=values)
        placed, mask = values.new_zeros(len(rows), *grid, values.shape[-1]), torch.zeros(len(rows), *grid, dtype=torch.bool)
        high, wide = stacked.shape[1:3]
        placed[:, :high, :wide], mask[:, :high, :wide] = values, True
        return Units(mask, values=placed)

    def pictured(self, values: Tensor) -> list[np.ndarray]:
        pixels = _unpatched(values.detach().float().cpu(), self.patch)
        mean, deviation = (torch.tensor(numbers) for numbers in (self.measured.mean, self.measured.deviation))
        return list(((pixels * deviation + mean) * 255).round().clamp(0, 255).to(torch.uint8).numpy())

    def varied(self, batch: Batch, chance: Generator) -> Batch:
        """See `variation`. Raises BadSetting where pictures are to be mixed whose targets cannot be."""
        if not self.varies:
            return batch
        assert batch.units.values is not None and bool(batch.units.mask.all()), "training pictures fill their grid"
        mean, deviation = (torch.tensor(values) for values in (self.measured.mean, self.measured.deviation))
        pixels = _unpatched(batch.units.values, self.patch)
        values, targets = self.variation.applied(pixels, batch.targets, mean, deviation, chance)
        return replace(batch, units=replace(batch.units, values=_patched(values, self.patch)), targets=targets)

    def stem(self, dim: int) -> nn.Module:
        """The pixels themselves where these are as wide as `dim`; else, and of patches always, a linear map."""
        return ValueStem(self.spec.num_values, dim, as_they_are=self.patch == 1)

    def placed(self, record: Record, encoded: Encoded) -> Record:
        label = record.label
        if not isinstance(label, tuple) or not any(isinstance(part, Box) for part in label):
            return record
        kept = [box for part in label if isinstance(part, Box) and (box := self._on_grid(part, encoded)) is not None]
        return replace(record, label=tuple(kept))

    def _on_grid(self, box: Box, encoded: Encoded) -> Box | None:
        scale_x, scale_y, left, top = _numbers(encoded.frame)
        height, width = self.size
        corners = (
            (box.left * scale_x + left) / width, (box.top * scale_y + top) / height,
            (box.right * scale_x + left) / width, (box.bottom * scale_y + top) / height,
        )  # fmt: skip
        x0, y0, x1, y1 = (min(max(corner, 0.0), 1.0) for corner in corners)
        return Box(box.label, x0, y0, x1, y1) if x1 - x0 > _VISIBLE and y1 - y0 > _VISIBLE else None

    def unplaced(self, prediction: Prediction, encoded: Encoded, stride: int = 1) -> Prediction:
        answer = prediction.answer
        if not isinstance(answer, tuple | list) or not all(isinstance(one, dict) and "box" in one for one in answer):
            return prediction
        scale_x, scale_y, left, top = _numbers(encoded.frame)
        height, width = self.size

        def back(box: Sequence[float]) -> list[float]:
            x0, y0, x1, y1 = box
            return [
                (x0 * width - left) / scale_x,
                (y0 * height - top) / scale_y,
                (x1 * width - left) / scale_x,
                (y1 * height - top) / scale_y,
            ]

        found = [{**cast(dict[str, Any], one), "box": back(one["box"])} for one in answer]
        return replace(prediction, answer=tuple(found))

    def covers(self, encoded: Encoded) -> tuple[float, float, float, float]:
        scale_x, scale_y, left, top = _numbers(encoded.frame)
        height, width = self.size
        return 0 - left / scale_x, 0 - top / scale_y, (width - left) / scale_x, (height - top) / scale_y

    def files(self) -> Mapping[str, bytes]:
        return {_FILE: json.dumps(self.measured.plain(), sort_keys=True).encode()} if self.fitted else {}

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        """Raises ValueError where they do not hold a mean and a deviation for each colour."""
        if _FILE not in files:
            return self
        measured = _Measured.parse(json.loads(files[_FILE]))
        numbers = (*measured.mean, *measured.deviation)
        if (
            len(numbers) != 2 * self.channels
            or len(measured.mean) != self.channels
            or not np.isfinite(numbers).all()
            or min(measured.deviation) <= 0
        ):
            raise ValueError(f"{_FILE} must hold a mean and a deviation above 0 for each of {self.channels} colours")
        return self._with(measured)

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        random = np.random.default_rng(0)
        pictures = [_written(random.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in ((6, 4), (3, 3), (5, 9), (1, 1))]
        return cls(size=(4, 4), resize="pad").fit(pictures), pictures


def _unpatched(values: Tensor, patch: int) -> Tensor:
    """`(B, H/P, W/P, P·P·C)` -> `(B, H, W, C)`."""
    if patch == 1:
        return values
    rows, high, wide, numbers = values.shape
    cut = values.reshape(rows, high, wide, patch, patch, numbers // patch**2)
    return cut.transpose(2, 3).reshape(rows, high * patch, wide * patch, -1)


def _patched(values: Tensor, patch: int) -> Tensor:
    """The inverse of `_unpatched`."""
    if patch == 1:
        return values.contiguous()
    rows, height, width, channels = values.shape
    cut = values.reshape(rows, height // patch, patch, width // patch, patch, channels)
    return cut.transpose(2, 3).reshape(rows, height // patch, width // patch, -1)


def _written(array: np.ndarray) -> Picture:
    """As the bytes of a PNG."""
    import io

    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(array).save(file, "PNG")
    return Picture(data=file.getvalue())


def _within(size: tuple[int, int], limit: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a picture of `size` (width, height) that is made no larger than `limit` (height, width)."""
    share = min(1.0, limit[1] / size[0], limit[0] / size[1])
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _layout(size: tuple[int, int], grid: tuple[int, int], resize: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height to which the whole picture is resized, and where its upper left corner then lies on the grid."""
    height, width = grid
    if resize == "fit":
        return (width, height), (0, 0)
    shares = width / size[0], height / size[1]
    share = min(shares) if resize == "pad" else max(shares)
    wide, high = max(1, round(size[0] * share)), max(1, round(size[1] * share))
    if resize == "crop":
        wide, high = max(wide, width), max(high, height)
    return (wide, high), ((width - wide) // 2, (height - high) // 2)


def _resized(image: Pixels, size: tuple[int, int], part: tuple[float, float, float, float] | None = None) -> Pixels:
    """Bilinear, averaging where it becomes smaller."""
    from PIL.Image import Resampling

    whole = (0.0, 0.0, float(image.width), float(image.height))
    # Rounding must not leave the picture.
    inside = whole if part is None else (max(part[0], 0.0), max(part[1], 0.0), min(part[2], whole[2]), min(part[3], whole[3]))
    return image if size == image.size and inside == whole else image.resize(size, Resampling.BILINEAR, box=inside)


def _numbers(frame: np.ndarray | None) -> tuple[float, float, float, float]:
    assert frame is not None, "boxes need a frame"
    a, b, c, d = frame.tolist()
    return a, b, c, d
