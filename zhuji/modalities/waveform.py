"""Sounds as they are: samples, as many to a unit as lie between two frames of a spectrum.

Shapes: B rows, S samples, T units, H samples of a unit, F frequencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from zhuji.core.contracts import Encoded, Shown
from zhuji.core.log import in_language
from zhuji.core.records import Sound
from zhuji.core.units import Units, UnitSpec
from zhuji.data.moments import drawn
from zhuji.data.sounds import Heard
from zhuji.modalities._measured import Measured
from zhuji.modalities._sounds import Sounds, noises
from zhuji.modalities._tenths import in_tenths
from zhuji.nn.sounds.waves import SpectrumStem, log_power

MEASURED = 2_000
"""Training sounds on which mean and deviation are measured, drawn at random where there are more."""


class Waveform(Sounds):
    """`values (T, H)` float32: samples of one channel, at full scale 1, those of a unit beside each other; the last unit is filled up with silence.
    Nothing is lost or normalised, so that a task can answer with a sound; the first layer sees the logarithms of a short-time spectrum, of mean 0 and
    deviation 1 over the training split.

    An input is a `Sound`, or the path or bytes of one; every sound is brought to `rate`.
    """

    measures: ClassVar[str] = "waveform.json"

    window: float = Field(default=0.032, gt=0, le=1)
    """Seconds that the first layer looks at around the beginning of a unit."""
    hop: float = Field(default=0.008, gt=0, le=1)
    """Seconds of a unit."""

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.span < 2 * self.step:
            raise ValueError(in_language("must have a window of at least two hops", "window 至少须为两个 hop"))
        return self

    @property
    def spec(self) -> UnitSpec:
        return UnitSpec(grid_ndim=1, num_values=self.step, rate=self.rate)

    @property
    def unit_seconds(self) -> float:
        return self.seconds

    # --------------------------------------------------------------------------------------------------- measuring

    @property
    def channels(self) -> int:
        """Frequencies that the first layer sees."""
        return self.points // 2 + 1

    @property
    def fitted(self) -> bool:
        return self._measured is not None

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Measures mean and deviation of each frequency over all units. Raises SoundError and MissingExtra."""
        given = drawn([Sound.of(raw) for raw in inputs], MEASURED, seed)
        samples = self._each(given, lambda heard: heard.samples)
        return self._with(Measured.of(map(self._seen, samples), self.channels))

    def _seen(self, samples: np.ndarray) -> np.ndarray:
        """`(T, F)`: the logarithms that the first layer sees."""
        folded = torch.from_numpy(self.of_samples(samples)).reshape(1, -1)
        return log_power(folded, self.span, self.step, self.points)[0].numpy()

    # ---------------------------------------------------------------------------------------------------- encoding

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`cut` counts the units of what was too long. Raises SoundError for what cannot be heard, and MissingExtra."""
        return list(self._each([Sound.of(raw) for raw in inputs], self._encoded))

    def _encoded(self, heard: Heard) -> Encoded:
        return Encoded(values=self.of_samples(heard.samples), cut=round(heard.cut / self.unit_seconds))

    def of_samples(self, samples: np.ndarray) -> np.ndarray:
        """`(S,)` at `rate` -> `(T, H)`."""
        count = max(1, -(-len(samples) // self.step))
        return np.pad(samples.astype(np.float32), (0, count * self.step - len(samples))).reshape(count, self.step)

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        """Zeros behind."""
        values, mask = torch.zeros(len(rows), *grid, self.step), torch.zeros(len(rows), *grid, dtype=torch.bool)
        for place, row in enumerate(rows):
            values[place, : row.length] = torch.from_numpy(cast(np.ndarray, row.values))
            mask[place, : row.length] = True
        return Units(mask, values=values)

    def shown(self, raw: Any) -> Shown:
        """Tenths of a second, each a part."""
        (row,) = self.encode([raw])
        return in_tenths(np.arange(row.length), self.unit_seconds)

    def stem(self, dim: int) -> nn.Module:
        measured = self._measured
        assert measured is not None, "the waveform modality must be fitted first"
        return SpectrumStem((self.span, self.step, self.points), dim, measured.mean, measured.deviation)

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        given = noises()
        return cls(rate=8_000, hop=0.004, window=0.016).fit(given), given
