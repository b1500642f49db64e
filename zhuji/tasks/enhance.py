"""Speech enhancement: a clean recording goes in, is mixed with noise, and a mask over the spectrum of the mixture is learned that leaves the
recording (Wang & Chen 2018, sections III and IV).

Shapes: B rows, T units of H samples, S = T * H samples, F frequencies, D width of a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from zhuji.core.answers import Waves
from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import ImpossiblePair, MissingFile
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.data.noises import noises
from zhuji.metrics import enhancement
from zhuji.nn import chance as draws
from zhuji.nn.chance import fingerprint
from zhuji.nn.heads import PerUnitHead
from zhuji.nn.latent import divergence
from zhuji.nn.sounds import masks
from zhuji.nn.sounds.intelligibility import missed
from zhuji.nn.sounds.mixing import (
    EARLY,
    coloured,
    echoed,
    fitted,
    loudening,
    microphone,
    mixed,
    narrow,
    narrowed,
    played,
    room,
    stretch,
    swelled,
)
from zhuji.nn.sounds.powers import Powers, Told, itakura_saito
from zhuji.nn.sounds.spectra import istft, stft
from zhuji.nn.sounds.waves import samples_of
from zhuji.nn.sounds.wiener import wiener

_LEAST = 1e-5
"""Energy below which a row counts as silence in the loss."""
_SOFTER = 15.0
"""Decibels by which the second recording of noise is softer than the first at most."""
_STRETCH = 16
"""Units whose loudness is told as one number."""
_STEEPEST = 6.0
"""Decibels an octave by which made-up noise falls at most."""


class Masker(nn.Module):
    """The head: for each unit a mask over the spectrum of the `overlap` units around its beginning, `(B, T, F)`; and the samples a second."""

    def __init__(self, task: Enhance, spec: UnitSpec, dim: int) -> None:
        super().__init__()
        self.kind: masks.Kind = "complex" if task.mask == "complex" else "real"
        self.hop, self.rate = spec.num_values, spec.rate
        self.points = task.overlap * spec.num_values
        size, self.hidden = self.points // 2 + 1, task.hidden
        if task.mask == "variational":
            self.each = Powers(dim, task.hidden, size, dropout=task.dropout)
        else:
            self.each = PerUnitHead(dim, size if self.kind == "real" else 2 * size, dropout=task.dropout)
            with torch.no_grad():
                self.each.out.bias[:size] = 1.0  # it begins by letting most of everything pass

    def raw(self, features: Features, units: Units) -> tuple[Tensor, Told | None]:
        """What `masks.bounded` takes, and what it was told by. Only a variational mask has the latter, and draws, in training."""
        if isinstance(self.each, PerUnitHead):
            return self.each(features), None
        told = self.each(features.states, draws.noise(units.mask, fingerprint(units), self.hidden) if self.training else None)
        return told.odds, told


class Enhance(Task):
    """What is to be left of a mixture, frequency by frequency. In training every row is mixed anew, and what is drawn is decided by the run's seed, the row
    and the step alone; whenever the model is judged, a row's mixture is always the same, and its noise is from recordings that training never hears.

    The loss of a row is minus its SI-SDR in decibels plus `spectral` times the share by which its compressed spectrum is off plus `intelligibility` times what
    is missed of speech (`nn.sounds.intelligibility.missed`); all rows count alike.
    """

    per_unit: ClassVar[bool] = True
    needs: ClassVar[Needs] = "nothing"
    sounds: ClassVar[bool] = True
    seeks: ClassVar[tuple[str, ...]] = ("leave",)
    rivals: ClassVar[tuple[str, ...]] = ("mixture", "wiener")

    mask: masks.Kind | Literal["variational"] = "complex"
    """real: loudness is changed, frequency by frequency; complex: phases as well; variational: a Wiener filter of the powers that an autoencoder tells of
    speech and of noise, learned by its bound in place of the loss above."""
    hidden: int = Field(default=32, gt=0, le=4096)
    """variational: numbers of a unit from which both powers are told."""
    overlap: int = Field(default=4, ge=2, le=64)
    """Units that a frame of the spectrum is long; even."""
    noise_folder: str | None = Field(default=None, min_length=1)
    """A folder of recordings of noise, with a split or to be split; None: noise is made up, from white to brown."""
    snr: tuple[float, float] = (-5.0, 15.0)
    """By how many decibels the recording is louder than the noise, least and most."""
    speed: tuple[float, float] = (1.0, 1.0)
    """In training, how many times as fast recording and noise are played: slowest and fastest (Ko et al. 2015)."""
    swell: float = Field(default=0.0, ge=0, le=30)
    """By how many decibels a recording in training grows louder or softer on its way, at most."""
    layered: float = Field(default=0.0, ge=0, le=1)
    """Probability that noise in training is that of two recordings."""
    microphone: float = Field(default=0.0, ge=0, le=1)
    """Probability that recording and noise in training each sound as through another microphone (Valin 2018)."""
    narrow: float = Field(default=0.0, ge=0, le=1)
    """Probability that recording and noise in training have lost the upper half of their frequencies, as a telephone does it."""
    room: float = Field(default=0.0, ge=0, le=1)
    """Probability that the recording sounds in a made-up room, of whose late echoes, from 50 ms on, it is to be freed as well."""
    echo: tuple[float, float] = (0.3, 0.9)
    """Seconds in which echoes decay by 60 decibels, least and most."""
    direct: tuple[float, float] = (-6.0, 6.0)
    """By how many decibels the echoes are softer than the recording, least and most."""
    spectral: float = Field(default=20.0, ge=0)
    """Weight of the spectrum's error beside the SI-SDR."""
    intelligibility: float = Field(default=0.0, ge=0)
    """Weight of what is missed of speech beside both: what the correlations of STOI lack of 1, in decibels."""
    leave: float = Field(default=0.0, ge=0, le=1)
    """Share of the mixture that is left in an answer: it hides what a mask takes away of a voice that it does not know. Nothing is left while it learns."""
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        rules = [
            (self.overlap % 2 == 0, "an even overlap", "overlap 须为偶数"),
            (-60 <= self.snr[0] <= self.snr[1] <= 60, "snr of two rising numbers of -60 to 60", "snr 须为 -60 至 60 之间两个递增的数"),
            (0.25 <= self.speed[0] <= self.speed[1] <= 4, "speed of two rising factors of 0.25 to 4", "speed 须为 0.25 至 4 之间两个递增的倍数"),
            (0.02 <= self.echo[0] <= self.echo[1] <= 5, "echo of two rising numbers of 0.02 to 5", "echo 须为 0.02 至 5 之间两个递增的数"),
            (-30 <= self.direct[0] <= self.direct[1] <= 60, "direct of two rising numbers of -30 to 60", "direct 须为 -30 至 60 之间两个递增的数"),
        ]  # fmt: skip
        for kept, en, zh in rules:
            if not kept:
                raise ValueError(in_language(f"must have {en}", zh))
        return self

    def fit(self, records: Sequence[Record]) -> Self:
        """Raises MissingFile for a folder of noise that is not there."""
        if self.noise_folder is not None and not Path(self.noise_folder).exists():
            raise MissingFile(file=self.noise_folder)
        return self

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        return {}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units are no samples."""
        if not spec.rate or spec.grid_ndim != 1:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=in_language("task 'enhance'", "任务「enhance」"),
                rule=in_language(
                    "the other answers with a sound, and needs the samples of one", "后者以声音作答，需要声音的采样"
                ),
                advice=in_language("choose --set modality.name=waveform", "请选用 --set modality.name=waveform"),
            )
        return Masker(self, spec, dim)

    # ---------------------------------------------------------------------------------------------------- mixtures

    def posed(self, head: Masker, units: Units) -> tuple[Tensor, Tensor]:
        """The mixture and the recording `(B, S)`, as loud as the network hears mixtures."""
        clean, lengths = samples_of(units).cpu(), (units.mask.sum(1) * head.hop).tolist()
        # Drawn in either case: chance that moves on says that outputs are not those of the units as they came.
        step = torch.randint(2**62, ())
        keys = fingerprint(units).cpu() + (step if head.training else 0)
        given, wanted = torch.zeros_like(clean), torch.zeros_like(clean)
        for row, (key, length) in enumerate(zip(keys.tolist(), lengths, strict=True)):
            if length:
                chance = torch.Generator().manual_seed(key & (2**63 - 1))
                pair = torch.stack(self.mixture(clean[row, :length], head.rate, chance, learning=head.training))
                given[row, :length], wanted[row, :length] = pair * loudening(pair[:1], torch.tensor([length]))
        return given.to(units.mask.device), wanted.to(units.mask.device)

    def mixture(self, clean: Tensor, rate: int, chance: Generator, *, learning: bool) -> tuple[Tensor, Tensor]:
        """`(S,)` in noise, and alone. `learning`: at any level and with the noise of training; else as it is, with noise that judges."""
        drawn = torch.rand(7, generator=chance).tolist()
        # A constant offset is no sound; as part of what is wanted it would count as lost, and as part of the level make noise louder than it is asked to be.
        clean = clean - clean.mean()
        # Noise has come through the channel that the recording has come through.
        thin, factor, size = narrow(clean), 1.0, len(clean)
        if learning and self.speed != (1.0, 1.0):
            factor = self.speed[0] + (self.speed[1] - self.speed[0]) * float(torch.rand((), generator=chance))
            clean = self._as_fast(clean, factor, size, thin)
        if learning and self.swell:
            clean = swelled(clean, rate, self.swell, chance)
        said, (low, high) = clean, self.snr
        if drawn[0] < self.room:
            seconds, direct = (
                one[0] + (one[1] - one[0]) * share for one, share in ((self.echo, drawn[1]), (self.direct, drawn[2]))
            )
            answer = room(seconds, direct, rate, chance)
            said, clean = echoed(clean, answer), echoed(clean, answer[: round(EARLY * rate)])
        noise = self._noise(round(size * factor), rate, chance, drawn[3:6], learning)
        noise = narrowed(noise) if thin else noise
        if factor != 1:
            # As fast as the recording: noise alone where a slower one has no frequencies any more would teach to expect no speech there.
            noise = self._as_fast(noise, factor, size, thin)
        if learning and self.microphone and float(torch.rand((), generator=chance)) < self.microphone:
            response, other = microphone(chance), microphone(chance)
            clean, said, noise = response(clean), response(said), other(noise)
        if learning and self.narrow and float(torch.rand((), generator=chance)) < self.narrow:
            clean, said, noise = narrowed(clean), narrowed(said), narrowed(noise)
        return mixed(said[None], noise[None], torch.tensor([low + (high - low) * drawn[6]]))[0], clean

    @staticmethod
    def _as_fast(sound: Tensor, factor: float, size: int, thin: bool) -> Tensor:
        """`(size,)`: played at a speed, and no wider than the channel that it came through."""
        faster = fitted(played(sound, factor), size)
        return narrowed(faster) if thin and factor > 1 else faster

    def _noise(self, length: int, rate: int, chance: Generator, drawn: Sequence[float], learning: bool) -> Tensor:
        if self.noise_folder is None:
            return coloured(length, _STEEPEST * drawn[0], chance)
        known = noises(self.noise_folder, rate)
        recordings = known.learned if learning else known.judge
        first = self._recording(recordings, length, drawn[0], drawn[1])
        if not learning or drawn[2] >= self.layered:
            return first
        place, start, softer = torch.rand(3, generator=chance).tolist()
        second = self._recording(recordings, length, place, start)
        return mixed(first[None], second[None], torch.tensor([_SOFTER * softer]))[0]

    @staticmethod
    def _recording(recordings: Sequence[np.ndarray], length: int, place: float, start: float) -> Tensor:
        """A stretch of one of them."""
        return stretch(torch.from_numpy(recordings[int(place * len(recordings))]), length, start)

    # ------------------------------------------------------------------------------------------------------ learning

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """What `answers` gives, with `given` and `wanted (B, S)`, the error of the spectrum `spectral (B,)`, how much speech is `missed (B,)` where that
        is weighed, and `rate ()`; variational: with both parts of the bound."""
        assert isinstance(head, Masker)
        given, wanted = self.posed(head, batch.units)
        units = replace(batch.units, values=given.unflatten(1, (-1, head.hop)))
        left, told = self._left(encoder, head, units)
        spectra, there = _frames(wanted, head), _framed(units.mask)
        error = masks.compressed_error(left, spectra, there)
        lost = missed(left, spectra, there, rate=head.rate, hop=head.hop) if self.intelligibility else torch.zeros_like(error)
        found = {} if told is None else self._bound(told, spectra, _frames(given, head) - spectra)
        return {
            **self._sound(left, head, units), **found, "given": given, "wanted": wanted,
            "spectral": error, "missed": lost, "rate": torch.tensor(head.rate, device=given.device),
        }  # fmt: skip

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`sound (B, S)`, what is left of each row, zero in padding; `real (B, T)`."""
        assert isinstance(head, Masker)
        samples = samples_of(units)
        # A soft voice is none the less a voice: the network hears all rows equally loud.
        factor = loudening(samples, units.mask.sum(1) * head.hop)
        loud = replace(units, values=(samples * factor).unflatten(1, (-1, head.hop)))
        found = self._sound(self._left(encoder, head, loud)[0], head, units)
        return {**found, "sound": found["sound"] / factor}

    @staticmethod
    def _bound(told: Told, speech: Tensor, rest: Tensor) -> dict[str, Tensor]:
        """Both `(B, T)` nats of a unit: how unlikely its `speech` and the `rest` are, spectra `(B, T + 1, F)`, and what its hidden numbers cost."""
        unlikely = itakura_saito(speech[:, :-1], told.speech) + itakura_saito(rest[:, :-1], told.noise)
        return {"unlikely": unlikely, "divergence": divergence(told.mean, told.log_variance)}

    def _left(self, encoder: Encoder, head: Masker, units: Units) -> tuple[Tensor, Told | None]:
        """The spectrum `(B, T + 1, F)` that the mask leaves of a mixture, and what it was told by. The frame at a row's end, which no unit begins with, has
        the mask of the one before: without it the last samples would hang on the edge of a single window."""
        raw, told = head.raw(encoder(units), units)
        there = F.pad(units.mask, (0, 1)).unsqueeze(-1)
        mask = masks.bounded(torch.where(there, F.pad(raw, (0, 0, 0, 1)), F.pad(raw, (0, 0, 1, 0))), head.kind)
        if not head.training:
            mask = self.leave + (1 - self.leave) * mask
        return _frames(samples_of(units), head) * mask * _framed(units.mask).unsqueeze(-1), told

    def _sound(self, left: Tensor, head: Masker, units: Units) -> dict[str, Tensor]:
        size = units.mask.shape[1] * head.hop
        sound = istft(left, head.points, head.hop, size, _framed(units.mask))
        return {"sound": (sound.unflatten(1, (-1, head.hop)) * units.mask.unsqueeze(-1)).flatten(1), "real": units.mask}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Sum over rows, over their number; variational: of minus the bound in nats over units, over their number."""
        if "unlikely" in outputs:
            real = outputs["real"]
            return Ratio((outputs["unlikely"] + outputs["divergence"]).masked_fill(~real, 0.0).sum(), real.sum())
        found = masks.si_sdr(outputs["sound"], outputs["wanted"], _LEAST).float()
        there = outputs["real"].any(1)
        apart = self.spectral * outputs["spectral"] + self.intelligibility * outputs["missed"]
        each = (apart - found).masked_fill(~there, 0.0)
        return Ratio(each.sum(), there.sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """By row SI-SDR of what is left, and of the mixture (`metrics.enhancement.judged`)."""
        sound, given, wanted = (_rows(outputs[name], outputs["real"]) for name in ("sound", "given", "wanted"))
        rate, only = int(outputs["rate"]), ("si_sdr",)
        return {**enhancement.judged(sound, wanted, rate, only), **enhancement.judged(given, wanted, rate, only, "_mixture")}

    def metrics(self) -> Mapping[str, Metric]:
        return {name: enhancement.mean_of(name) for name in ("si_sdr", "si_sdr_mixture")}

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """How loud the cleaned row is, as the root of its mean square in every 16 units; the samples themselves are the answer's `waves`."""
        names = ("sound", "given", "wanted") if "given" in outputs else ("sound",)
        rows = zip(*(_rows(outputs[name], outputs["real"]) for name in names), strict=True)
        rate, hop = int(outputs["rate"]) if "rate" in outputs else 0, outputs["sound"].shape[1] // outputs["real"].shape[1]
        return [Prediction(_loudness(waves[0], _STRETCH * hop), waves=Waves(*waves, rate=rate)) for waves in rows]

    def judge(self, answers: Sequence[Prediction], records: Sequence[Record]) -> Columns:
        """By row what can be measured here of the mixture, of a Wiener filter's answer and of ours."""
        waves = [one.waves for one in answers if one.waves is not None]
        assert len(waves) == len(records), "only sounds can be judged"
        rows = [_measured(one) for one in waves]
        return {name: np.concatenate([row[name] for row in rows]) for name in (rows[0] if rows else ())}

    def answer_metrics(self) -> Mapping[str, Metric]:
        """PESQ and STOI where their packages are installed, of ours, of the mixture and of the Wiener filter; and its SI-SDR."""
        names = [f"{measure}{suffix}" for measure in _measures()[1:] for suffix in ("", "_mixture", "_wiener")]
        return {name: enhancement.mean_of(name) for name in (*names, "si_sdr_wiener")}

    def notes(self) -> Mapping[str, str]:
        return {name: enhancement.note(name) for name in _measures()[1:]}

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), [Record(f"row-{i}", "") for i in range(8)])


def _measures() -> tuple[str, ...]:
    return ("si_sdr", "pesq", "stoi") if enhancement.installed() else ("si_sdr",)


def _measured(waves: Waves) -> Columns:
    """Of one row."""
    assert waves.given is not None and waves.wanted is not None
    length = max(2, round(0.032 * waves.rate) // 4 * 4)
    filtered = wiener(torch.from_numpy(waves.given)[None], length, length // 4)[0].numpy()
    ours, noisy, filtered_ = (
        enhancement.judged([found], [waves.wanted], waves.rate, names, suffix)
        for found, names, suffix in (
            (waves.sound, _measures()[1:], ""), (waves.given, _measures()[1:], "_mixture"), (filtered, _measures(), "_wiener"),
        )
    )  # fmt: skip
    return {**ours, **noisy, **filtered_}


def _frames(samples: Tensor, head: Masker) -> Tensor:
    """`(B, S)` -> `(B, T + 1, F)`: one frame centred at the beginning of each unit, and one at the end."""
    return stft(samples, head.points, head.hop, head.points)


def _framed(mask: Tensor) -> Tensor:
    """`(B, T)` -> `(B, T + 1)`: which frames a row has: one more than units, if it has any."""
    return torch.cat((mask.any(1, keepdim=True), mask), 1)


def _rows(samples: Tensor, real: Tensor) -> list[np.ndarray]:
    """The real samples of each row, float32."""
    hop, counts = samples.shape[1] // real.shape[1], real.sum(1).tolist()
    return [row[: count * hop] for row, count in zip(samples.detach().float().cpu().numpy(), counts, strict=True)]


def _loudness(sound: np.ndarray, length: int) -> list[float]:
    parts = [sound[start : start + length].astype(np.float64) for start in range(0, len(sound), length)]
    return [round(float(np.sqrt((part**2).mean())), 7) for part in parts]
