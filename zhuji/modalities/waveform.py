"""Sounds as they are: samples, as many to a unit as lie between two frames of a spectrum.

Shapes: B rows, S samples, T units, H samples of a unit, F frequencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import nn

from zhuji.core.contracts import Encoded, Modality, Reads, Shown
from zhuji.core.framing import Windowed
from zhuji.core.log import in_language
from zhuji.core.records import Sound
from zhuji.core.units import Units, UnitSpec
from zhuji.data import sounds
from zhuji.data.ahead import ahead
from zhuji.data.moments import drawn
from zhuji.data.sounds import Heard, as_wav
from zhuji.modalities._measured import Measured
from zhuji.modalities._tenths import in_tenths
from zhuji.nn.sounds.waves import SpectrumStem, log_power

MEASURED = 2_000
"""Training sounds on which mean and deviation are measured, drawn at random where there are more."""
_FILE = "waveform.json"


class Waveform(Windowed, Modality):
    """`values (T, H)` float32: samples of one channel, at full scale 1, those of a unit beside each other; the last unit is filled up with silence.
    Nothing is lost or normalised, so that a task can answer with a sound; the first layer sees the logarithms of a short-time spectrum, of mean 0 and
    deviation 1 over the training split.

    An input is a `Sound`, or the path or bytes of one; every sound is brought to `rate`.
    """

    reads: ClassVar[Reads] = "sounds"
    cut_by: ClassVar[str] = "end cut off"

    window: float = Field(default=0.032, gt=0, le=1)
    """Seconds that the first layer looks at around the beginning of a unit."""
    hop: float = Field(default=0.008, gt=0, le=1)
    """Seconds of a unit."""
    longest: float = Field(default=30.0, gt=0, le=3_600)
    """Seconds that are read of a sound; what is longer is cut, and the ledger tells it."""

    _measured: Measured | None = PrivateAttr(None)

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
    def fitted(self) -> bool:
        return self._measured is not None

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Measures mean and deviation of each frequency over all units. Raises SoundError and MissingExtra."""
        given = drawn([Sound.of(raw) for raw in inputs], MEASURED, seed)
        return self._with(Measured.of((self._seen(heard.samples) for heard in self._heard(given)), self.points // 2 + 1))

    def _seen(self, samples: np.ndarray) -> np.ndarray:
        """`(T, F)`: the logarithms that the first layer sees."""
        folded = torch.from_numpy(self.of_samples(samples)).reshape(1, -1)
        return log_power(folded, self.span, self.step, self.points)[0].numpy()

    def _with(self, measured: Measured) -> Self:
        fitted = self.model_copy()
        fitted._measured = measured
        return fitted

    def files(self) -> Mapping[str, bytes]:
        return {} if self._measured is None else {_FILE: self._measured.written()}

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        """Raises ValueError where they do not hold a mean and a deviation for each frequency."""
        return self._with(Measured.read(files[_FILE], self.points // 2 + 1, _FILE)) if _FILE in files else self

    # ---------------------------------------------------------------------------------------------------- encoding

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`cut` counts the units of what was too long. Raises SoundError for what cannot be heard, and MissingExtra."""
        heard = self._heard([Sound.of(raw) for raw in inputs])
        return [Encoded(values=self.of_samples(one.samples), cut=round(one.cut / self.unit_seconds)) for one in heard]

    def _heard(self, given: Sequence[Sound]) -> Iterator[Heard]:
        def work(sound: Sound) -> Heard:
            return sounds.samples(sound, self.rate, self.longest)

        if len(given) == 1:
            yield work(given[0])
        else:
            yield from (found for _, found in ahead(given, work))

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
        random = np.random.default_rng(0)
        given = [Sound(data=as_wav(0.3 * random.standard_normal(size), 8_000)) for size in (900, 400, 1_300, 80)]
        return cls(rate=8_000, hop=0.004, window=0.016).fit(given), given
