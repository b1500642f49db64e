"""Sounds as frames of mel bands, of cepstra, or as samples one by one.

Shapes: B rows, S samples, T frames, M bands or cepstral numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from zhuji.core.contracts import Encoded, Prediction, Shown
from zhuji.core.errors import MissingFile
from zhuji.core.framing import Banded, Frames, Framing
from zhuji.core.log import in_language
from zhuji.core.records import Record, Sound
from zhuji.core.units import Batch, Units, UnitSpec
from zhuji.data import sounds
from zhuji.data.moments import drawn
from zhuji.data.sounds import Heard
from zhuji.modalities._measured import Measured
from zhuji.modalities._sounds import Sounds, noises
from zhuji.modalities._tenths import in_tenths
from zhuji.nn.sounds.companding import companded, expanded
from zhuji.nn.sounds.mel import WHISPER, cepstra, corners_of, filters, log_mel, whisper_log_mel
from zhuji.nn.sounds.spectra import stft
from zhuji.nn.sounds.variation import Variation
from zhuji.nn.sounds.waves import standard
from zhuji.nn.stems import IdStem, ValueStem

MEASURED = 10_000
"""Training sounds on which mean and deviation are measured, drawn at random where there are more."""
_NOISE_SECONDS = 60.0
"""Of a sound of the noise folder no more is kept."""


class Speech(Banded, Sounds):
    """`values (T, M)` float32: natural logarithms of the power in mel bands, or MFCC; with `plane` the same as `(T, M, 1)`, a grid of time and
    pitch that networks for pictures read. Or `ids (S,)`: samples by the mu law. Normalised to mean 0 and deviation 1 of the training split, channel
    by channel, when they are put in a batch.

    For networks that were trained elsewhere: `whisper`, log-mel with the numbers of Whisper (`nn.sounds.mel.whisper_log_mel`); `raw`, `values (S, 1)`, the
    samples themselves as wav2vec 2.0 reads them. Neither learns anything from the training split.

    An input is a `Sound`, or the path or bytes of one; every sound is brought to `rate`.
    """

    measures: ClassVar[str] = "sounds.json"

    features: Literal["log_mel", "mfcc", "samples", "whisper", "raw"] = "log_mel"
    plane: bool = False
    """The units are the cells of a plane of time and bands, for networks that read pictures; else each is a frame."""
    window: float = Field(default=0.025, gt=0, le=1)
    """Seconds that a frame looks at."""
    hop: float = Field(default=0.01, gt=0, le=1)
    """Seconds from frame to frame."""
    floor: float = Field(default=-24.0, ge=-24, le=0)
    """Logarithm of the power in a band below which all is silence; no band lies below that of 1e-10, -23.03."""
    coefficients: int = Field(default=13, gt=1, le=512)
    """Cepstral numbers of MFCC."""
    levels: int = Field(default=256, ge=2, le=65_536)
    """Of samples, by the mu law."""
    level: bool = True
    """Of raw: each sound is brought to mean 0 and deviation 1 by itself."""
    trim: float | None = Field(default=None, gt=0, le=120)
    """Cut off at both ends what is so many decibels softer than the loudest frame; None: nothing is."""
    loudness: float | None = Field(default=None, ge=-60, le=0)
    """Decibels below full scale to which every sound is brought on average; None: as loud as it is."""
    piece: float | None = Field(default=None, gt=0)
    """Of samples: seconds of a longer training sound that are learned from at a time, drawn by chance in each epoch; None: all of it."""
    variation: Variation = Variation()
    """How training sounds are varied by chance."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        rules = [
            (self._sampled and not self.variation.off, f"no variation with features={self.features}", f"features={self.features} 时不可用 variation"),
            (self.features == "mfcc" and (self.variation.changes_powers or self.variation.band_masks > 0),
             "of variation only time_masks with features=mfcc, which have no powers", "features=mfcc 没有功率，variation 只可用 time_masks"),
            (self.plane and self.features != "log_mel", "plane with features=log_mel only", "plane 只可与 features=log_mel 同用"),
            (self.features == "mfcc" and self.coefficients > self.bands, "no more coefficients than bands", "coefficients 不得多于 bands"),
            (self.piece is not None and self.features != "samples", "piece with features=samples only", "piece 只可与 features=samples 同用"),
            (self.piece is not None and self.piece * self.rate < 2, "a piece of at least two samples", "piece 至少须含两个采样"),
            (self.features == "whisper" and self.longest < self.window, "longest of a window at least", "longest 至少为一个 window"),
        ]  # fmt: skip
        for broken, en, zh in rules:
            if broken:
                raise ValueError(in_language(f"must have {en}", zh))
        return self

    # ------------------------------------------------------------------------------------------------------- sizes

    @property
    def channels(self) -> int:
        return {"mfcc": self.coefficients, "raw": 1}.get(self.features, self.bands)

    @property
    def _sampled(self) -> bool:
        """Whether a unit is a sample."""
        return self.features in ("samples", "raw")

    @property
    def spec(self) -> UnitSpec:
        if self.features == "samples":
            return UnitSpec(grid_ndim=1, num_ids=self.levels)
        if self.plane:
            return UnitSpec(grid_ndim=2, num_values=1)
        return UnitSpec(grid_ndim=1, num_values=self.channels, frames=self._frames)

    @property
    def _frames(self) -> Frames | None:
        """None where a sound is not heard as it is."""
        if self.features != "log_mel" or self.trim is not None or self.loudness is not None or not self.variation.off:
            return None
        framing, known = Framing(**{name: getattr(self, name) for name in Banded.model_fields}), self._measured
        return Frames(framing) if known is None else Frames(framing, known.mean, known.deviation)

    @property
    def unit_seconds(self) -> float:
        if self._sampled:
            return 1 / self.rate
        return self.seconds / (self.bands if self.plane else 1)

    @property
    def varies(self) -> bool:
        return not self.variation.off or self.piece is not None

    @property
    def light(self) -> bool:
        return self.plane or self._sampled

    # --------------------------------------------------------------------------------------------------- measuring

    @property
    def fitted(self) -> bool:
        return self.features not in ("log_mel", "mfcc") or self._measured is not None

    @property
    def measured(self) -> Measured:
        """What `fit` learned, or what is known beforehand."""
        if self.features in ("whisper", "raw"):
            mean, deviation = WHISPER if self.features == "whisper" else (0.0, 1.0)
            return Measured(mean=(mean,) * self.channels, deviation=(deviation,) * self.channels, sounds=0)
        assert self._measured is not None, "the speech modality must be fitted first"
        return self._measured

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Measures mean and deviation of each channel over all frames. Raises SoundError and MissingExtra."""
        if self.features not in ("log_mel", "mfcc"):
            return self
        given = drawn([Sound.of(raw) for raw in inputs], MEASURED, seed)
        return self._with(Measured.of((values.numpy() for _, values in self._heard(given)), self.channels))

    # ---------------------------------------------------------------------------------------------------- encoding

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`values` or `ids`; `cut` counts the units of what was too long. Raises SoundError for what cannot be heard, and MissingExtra."""
        return [self._encoded(heard, values) for heard, values in self._heard([Sound.of(raw) for raw in inputs])]

    def _heard(self, given: Sequence[Sound]) -> Iterator[tuple[Heard, Tensor]]:
        """Each sound with its features."""
        return self._each(given, lambda heard: (heard, self.of_samples(heard.samples)))

    def encoded(self, samples: np.ndarray) -> Encoded:
        """Samples `(S,)` at `rate` as `encode` gives those of a sound."""
        return self._encoded(Heard(samples, len(samples) / self.rate), self.of_samples(samples))

    def of_samples(self, samples: np.ndarray) -> Tensor:
        """The units of samples `(S,)` at `rate`: `(T, M)` float32, or `(S,)` int64."""
        sound = torch.from_numpy(self._levelled(samples[self._kept(samples)]))
        if self.features == "samples":
            return companded(sound, self.levels)
        if self.features == "raw":
            return (standard(sound) if self.level else sound)[:, None]
        if self.features == "whisper":
            bank = filters(self.rate, self.span, self.bands, (self.low, self.top), self.scale)
            return whisper_log_mel(sound, bank, self.span, self.step, round(self.longest * self.rate))
        spectra = stft(sound[None], self.span, self.step, self.points)
        logs = log_mel(spectra, filters(self.rate, self.points, self.bands, (self.low, self.top), self.scale))
        logs = logs.clamp_min(self.floor)
        return (cepstra(logs, self.coefficients) if self.features == "mfcc" else logs)[0]

    def samples_of(self, ids: Sequence[int]) -> np.ndarray:
        """The inverse where units are samples: `(S,)` float32 in [-1, 1], up to half a level."""
        return expanded(torch.tensor(ids, dtype=torch.int64), self.levels).numpy()

    @property
    def silence(self) -> int:
        """The id of a sample of zero."""
        return int(companded(torch.zeros(()), self.levels))

    def _kept(self, samples: np.ndarray) -> slice:
        """The part that `trim` leaves."""
        if self.trim is None or not len(samples):
            return slice(None)
        count = -(-len(samples) // self.step)
        parts = np.pad(samples.astype(np.float64), (0, count * self.step - len(samples))).reshape(count, self.step)
        power = (parts**2).mean(1)
        loud = np.flatnonzero(power > power.max() * 10 ** (-self.trim / 10))
        return slice(loud[0] * self.step, (loud[-1] + 1) * self.step) if len(loud) else slice(None)

    def _begin(self, samples: np.ndarray) -> float:
        """Seconds that `trim` takes away before the rest."""
        return (self._kept(samples).start or 0) / self.rate

    def _levelled(self, samples: np.ndarray) -> np.ndarray:
        level = math.sqrt(float((samples.astype(np.float64) ** 2).mean())) if len(samples) else 0.0
        return samples if self.loudness is None or not level else samples * np.float32(10 ** (self.loudness / 20) / level)

    def _encoded(self, heard: Heard, values: Tensor) -> Encoded:
        units = round(heard.cut / self.unit_seconds)
        frame = None if self.trim is None else np.array([self._begin(heard.samples)], np.float32)
        if self.features == "samples":
            return Encoded(ids=values.numpy().astype(np.int32), cut=units, frame=frame)
        array = values.numpy()
        return Encoded(values=array[..., None] if self.plane else array, cut=units, frame=frame)

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        """`values` float32, normalised, or `ids`; zeros behind."""
        mask = torch.zeros(len(rows), *grid, dtype=torch.bool)
        for row, real in zip(rows, mask, strict=True):
            real[tuple(slice(side) for side in row.grid)] = True
        if self.features == "samples":
            ids = torch.zeros(len(rows), *grid, dtype=torch.int64)
            for place, row in enumerate(rows):
                ids[place, : row.length] = torch.from_numpy(cast(np.ndarray, row.ids)).long()
            return Units(mask, ids=ids)
        values = torch.zeros(len(rows), grid[0], grid[1] if self.plane else self.channels)
        mean, deviation = self._numbers()
        for place, row in enumerate(rows):
            array = torch.from_numpy(cast(np.ndarray, row.values)).reshape(-1, self.channels)
            values[place, : len(array), : self.channels] = (array - mean) / deviation
        return Units(mask, values=values[..., None] if self.plane else values)

    def placed(self, record: Record, encoded: Encoded) -> Record:
        """Its sound is what was kept of it: a task that learns samples would hold all of a long one."""
        return replace(record, input=replace(Sound.of(record.input), seconds=self.longest)) if encoded.cut else record

    def unplaced(self, prediction: Prediction, encoded: Encoded, stride: int = 1) -> Prediction:
        """Times count from where the whole sound begins."""
        found = super().unplaced(prediction, encoded, stride)
        if encoded.frame is None:
            return found
        (begin,) = encoded.frame.tolist()
        return replace(found, times=tuple(one.later(begin) for one in found.times))

    def _numbers(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.measured.mean), torch.tensor(self.measured.deviation)

    def shown(self, raw: Any) -> Shown:
        """Tenths of a second, each a part, as they are in the whole sound: there is nothing to read in it but when it was."""
        heard = sounds.samples(Sound.of(raw), self.rate, self.longest)
        row = self._encoded(heard, self.of_samples(heard.samples))
        cells = self.bands if self.plane else 1
        return in_tenths(np.arange(row.length) // cells, self.unit_seconds * cells, self._begin(heard.samples))

    def stem(self, dim: int) -> nn.Module:
        """A vector for each id; of frames a linear map; of the cells of a plane, of Whisper's frames and of raw samples themselves where the network
        reads as many channels."""
        if self.features == "samples":
            return IdStem(self.levels, dim, padding=None)
        return ValueStem(self.spec.num_values, dim, as_they_are=self.plane or self.features in ("whisper", "raw"))

    # ----------------------------------------------------------------------------------------------------- varying

    def varied(self, batch: Batch, chance: Generator) -> Batch:
        """See `variation`. Raises MissingFile for a noise folder that holds no sounds."""
        if not self.varies:
            return batch
        if self.features == "samples":
            return replace(batch, units=self._pieces(batch.units, chance))
        assert batch.units.values is not None
        values, mask = batch.units.values, batch.units.mask
        if self.plane:
            values, mask = values[..., 0], mask.any(-1)
        if self.variation.changes_powers:
            mean, deviation = self._numbers()
            logs, mask = self.variation.loud(values * deviation + mean, mask, self.middles(), self._noises(), chance)
            values = ((logs - mean) / deviation).masked_fill(~mask[..., None], 0.0)
        values = self.variation.hidden(values, mask, chance)
        if self.plane:
            values, mask = values[..., None], mask[..., None].repeat(1, 1, self.bands)
        return replace(batch, units=replace(batch.units, values=values, mask=mask))

    def _pieces(self, units: Units, chance: Generator) -> Units:
        """Of each row that is longer a piece, from anywhere."""
        assert units.ids is not None and self.piece is not None
        size = min(round(self.piece * self.rate), units.mask.shape[1])
        room = (units.mask.sum(1) - size).clamp_min(0)
        starts = (torch.rand(len(units), generator=chance) * (room + 1)).long().minimum(room)
        index = starts[:, None] + torch.arange(size)
        return Units(units.mask.gather(1, index), ids=units.ids.gather(1, index))

    def middles(self) -> Tensor:
        """`(M,)`: where each band is loudest, in hertz."""
        return corners_of(self.bands, (self.low, self.top), self.scale)[1:-1].float()

    def _noises(self) -> Sequence[Tensor]:
        folder = self.variation.noise_folder
        if folder is None or not self.variation.noise:
            return ()
        plain = self.model_copy(update={"variation": Variation(), "trim": None, "longest": _NOISE_SECONDS})
        return _noises_of(folder, json.dumps(plain.plain(), sort_keys=True))

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        given = noises()
        return cls(rate=8_000, bands=6).fit(given), given


@lru_cache(maxsize=4)
def _noises_of(folder: str, settings: str) -> Sequence[Tensor]:
    """Log-mel `(N, M)` of all sounds in and below a folder, by the settings of a modality. Raises MissingFile where there are none."""
    place = Path(folder)
    paths = sorted(p for p in place.rglob("*") if p.suffix.lower() in sounds.ENDINGS) if place.is_dir() else []
    if not paths:
        raise MissingFile(file=folder)
    modality = Speech.parse(json.loads(settings))
    return [values for _, values in modality._heard([Sound(str(path)) for path in paths])]
