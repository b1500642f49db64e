"""What the modalities share whose inputs are sounds: how they are heard, and what the training split taught about them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Self, TypeVar

import numpy as np
from pydantic import Field, PrivateAttr

from zhuji.core.contracts import Modality, Reads
from zhuji.core.framing import Windowed
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.data.ahead import ahead
from zhuji.data.sounds import Heard, as_wav
from zhuji.modalities._measured import Measured

T = TypeVar("T")


class Sounds(Windowed, Modality):
    """Sounds that are brought to one rate; of each of `channels` a mean and a deviation may be measured, and travels as the file `measures`."""

    reads: ClassVar[Reads] = "sounds"
    cut_by: ClassVar[str] = "end cut off"
    measures: ClassVar[str]

    longest: float = Field(default=30.0, gt=0, le=3_600)
    """Seconds that are read of a sound; what is longer is cut, and the ledger tells it."""

    _measured: Measured | None = PrivateAttr(None)

    @property
    @abstractmethod
    def channels(self) -> int:
        """Of what is measured."""

    def _with(self, measured: Measured) -> Self:
        fitted = self.model_copy()
        fitted._measured = measured
        return fitted

    def files(self) -> Mapping[str, bytes]:
        return {} if self._measured is None else {self.measures: self._measured.written()}

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        """Raises ValueError where they do not hold a mean and a deviation for each channel."""
        found = files.get(self.measures)
        return self if found is None else self._with(Measured.read(found, self.channels, self.measures))

    def _each(self, given: Sequence[Sound], work: Callable[[Heard], T]) -> Iterator[T]:
        """What `work` makes of each sound, in order; of several while the next are read. Raises SoundError for what cannot be heard, and MissingExtra."""

        def heard(sound: Sound) -> T:
            return work(sounds.samples(sound, self.rate, self.longest))

        if len(given) == 1:
            yield heard(given[0])
        else:
            yield from (found for _, found in ahead(given, heard))


def noises() -> list[Sound]:
    """A handful of short ones, for examples."""
    random = np.random.default_rng(0)
    return [Sound(data=as_wav(0.3 * random.standard_normal(size), 8_000)) for size in (900, 400, 1_300, 80)]
