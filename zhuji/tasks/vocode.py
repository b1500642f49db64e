"""Vocoding: log-mel frames go in, the samples of the recording that they were made of are learned, all of them at once.

Shapes: B rows, T frames, P frames of a piece, M mel bands, S = (T - 1) * step samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from zhuji.core.contracts import ONLY, Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import ImpossiblePair
from zhuji.core.framing import Frames
from zhuji.core.log import in_language
from zhuji.core.records import Record, Sound
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.data import sounds
from zhuji.metrics.units import ratio_of
from zhuji.nn.chance import chance, fingerprint
from zhuji.nn.sounds.critics import Critics, features_apart, taken_for_recorded, told_apart
from zhuji.nn.sounds.framed import frames_of_rows
from zhuji.nn.sounds.vocoding import RESOLUTIONS, SpectrumHead, mel_error, sounding, spectral_error

CRITIC, MAKER = "critic", "maker"
_UNDER = "head.critics."

Outputs = Mapping[str, Tensor]


class Vocode(Task):
    """The encoder and a head that says a spectrum make samples (Siuzdak 2023, Vocos); critics of several resolutions tell them from recorded ones. Both
    players learn from pieces of `piece` seconds, drawn anew at each move; whole recordings are judged, by `mel` and `spectral` alone.

    The maker's loss of a row is `mel` times the mean absolute error of log-mel bands, `spectral` times that of spectra of several resolutions
    (`nn.sounds.vocoding.spectral_error`), `magnitude` times that of the magnitudes that the head says, what the critics' scores cost it (Mao et al. 2017), and `matching` times how far their layers are apart.
    """

    needs: ClassVar[Needs] = "nothing"
    per_unit: ClassVar[bool] = True

    rate: int = Field(default=16_000, ge=1_000, le=192_000)
    """Samples a second, those of the modality."""
    piece: float = Field(default=0.5, gt=0, le=60)
    """Seconds of a recording that are learned from at a time."""
    channels: int = Field(default=16, gt=0, le=1024)
    """Of the critics' layers."""
    mel: float = Field(default=45.0, ge=0)
    """Weight of the log-mel bands' error (Kong et al. 2020, HiFi-GAN, section 2.4)."""
    spectral: float = Field(default=5.0, ge=0)
    """Weight of the error of spectra."""
    magnitude: float = Field(default=10.0, ge=0)
    """Weight of the error of the magnitudes that are said."""
    matching: float = Field(default=2.0, ge=0)
    """Weight of the critics' layers."""

    _player: str = PrivateAttr(ONLY)

    @property
    def players(self) -> tuple[str, ...]:
        return (CRITIC, MAKER)

    def owner(self, parameter: str) -> str:
        return CRITIC if parameter.startswith(_UNDER) else MAKER

    def plays(self, player: str) -> Task:
        copy = self.model_copy()
        copy._player = player
        return copy

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`sound (S,)` float32: the recording; as many of its samples are learned as lie between its frames."""
        return {"sound": torch.from_numpy(sounds.samples(Sound.of(record.input), self.rate).samples)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units are not log-mel frames of sounds as they are, at the same rate."""
        frames = spec.frames
        if frames is None or frames.framing.rate != self.rate:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=self.called(),
                rule=in_language(
                    f"the other makes samples of log-mel frames of sounds as they are, at {self.rate} samples a second (task.rate)",
                    f"后者由声音原样的 log-mel 帧生成采样，每秒 {self.rate} 个（task.rate）",
                ),
                advice=in_language(
                    "choose --set modality.name=speech with features=log_mel, the same rate, and neither plane, trim, loudness nor variation",
                    "请选用 --set modality.name=speech，features=log_mel，rate 相同，不用 plane、trim、loudness、variation",
                ),
            )
        return Vocos(self, frames, dim)

    # ---------------------------------------------------------------------------------------------------- learning

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of a player `loss (B,)` and what it is a sum over, `terms (B,)`. Of the judge what `answers` gives, and with recordings those two and
        `spectral (B,)`."""
        assert isinstance(head, Vocos)
        if "sound" not in batch.targets:
            return self.answers(encoder, head, batch.units)
        if self._player == ONLY:
            return self._judged(encoder, head, batch)
        units, wanted = self._piece(head, batch)
        loud, phase = head.said(encoder, units)
        made = head.spectrum(loud, phase, units.mask)
        terms = (batch.units.mask.sum(1) > 1).float()
        if self._player == CRITIC:
            return {"loss": told_apart(head.critics(wanted), head.critics(made.detach())) * terms, "terms": terms}
        with torch.no_grad():
            real = head.critics(wanted)
        fake, framing = head.critics(made), head.spectrum.framing
        count = units.mask.sum(1)
        apart = self.mel * mel_error(made, frames_of_rows(wanted, framing), units.mask, framing)
        apart = apart + self.magnitude * head.spectrum.magnitude_error(loud, wanted, units.mask)
        lasting = (count - 1).clamp_min(0) * framing.step
        loss = apart / count.clamp_min(1) + self.spectral * spectral_error(made, wanted, lasting)
        loss = loss + taken_for_recorded(fake) + self.matching * features_apart(real, fake)
        return {"loss": loss * terms, "terms": terms}

    def _judged(self, encoder: Encoder, head: Vocos, batch: Batch) -> dict[str, Tensor]:
        found, mask = self.answers(encoder, head, batch.units), batch.units.mask
        step, count = head.spectrum.framing.step, mask.sum(1)
        wanted = _sized(batch.targets["sound"], found["sound"].shape[1])
        wanted = wanted.masked_fill(sounding(mask, step).logical_not(), 0.0)
        terms = (count > 1).float()
        spectral = spectral_error(found["sound"], wanted, (count - 1).clamp_min(0) * step) * terms
        return {
            **found,
            "loss": self.mel * found["mel_error"] * terms + self.spectral * spectral,
            "terms": terms,
            "spectral": spectral,
        }

    def _piece(self, head: Vocos, batch: Batch) -> tuple[Units, Tensor]:
        """Of each row a piece: units `(B, P)`, and the samples between them `(B, (P - 1) * step)`, zero where a row is shorter."""
        units, step = batch.units, head.spectrum.framing.step
        assert units.values is not None
        size, lengths = head.piece, units.mask.sum(1)
        room = (lengths - size).clamp_min(0)
        drawn = chance(units.mask[:, :1], fingerprint(units))[:, 0]
        starts = (drawn * (room + 1)).long().minimum(room)
        places = starts[:, None] + torch.arange(size, device=starts.device)
        mask = places < lengths[:, None]
        values = F.pad(units.values, (0, 0, 0, max(0, size - units.values.shape[1])))
        values = values.gather(1, places[..., None].expand(-1, -1, values.shape[2])).masked_fill(
            mask.logical_not()[..., None], 0.0
        )
        where = starts[:, None] * step + torch.arange((size - 1) * step, device=starts.device)
        sound = _sized(batch.targets["sound"], int(where.max()) + 1).gather(1, where)
        return replace(units, mask=mask, values=values), sound.masked_fill(sounding(mask, step).logical_not(), 0.0)

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`sound (B, S)`, zero in padding; `real (B, T)`; `mel_error (B,)`: mean absolute error of the log-mel bands of that sound, in nats."""
        assert isinstance(head, Vocos) and units.values is not None
        # Phases in 8 bits are heard, and an answer would differ with them.
        with torch.autocast(units.mask.device.type, enabled=False):
            loud, phase = head.said(encoder, units)
        sound, logs = head.spectrum(loud, phase, units.mask), head.spectrum.logs(units.values)
        wrong = mel_error(sound, logs, units.mask, head.spectrum.framing)
        return {"sound": sound, "real": units.mask, "mel_error": wrong / units.mask.sum(1).clamp_min(1)}

    def loss(self, outputs: Outputs, batch: Batch) -> Ratio:
        """Sum over rows, over their number."""
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def evidence(self, outputs: Outputs, batch: Batch) -> Columns:
        """By row, each counting alike: `mel` nats, and `spectral`."""
        terms, found = outputs["terms"], {"mel": outputs["mel_error"] * outputs["terms"], "spectral": outputs["spectral"]}
        return {name: value.detach().double().cpu().numpy() for name, value in {**found, "terms": terms}.items()}

    def metrics(self) -> Mapping[str, Metric]:
        return {
            "mel_error": ratio_of("mel", "terms", higher_is_better=False),
            "spectral_error": ratio_of("spectral", "terms", higher_is_better=False),
        }

    def notes(self) -> Mapping[str, str]:
        sizes = ", ".join(str(length) for length, _ in RESOLUTIONS)
        return {
            "mel_error": "nats: mean absolute error of log-mel bands of the made sound",
            "spectral_error": f"spectral convergence and mean absolute error of log magnitudes, mean of windows of {sizes} samples",
        }

    def decode(self, outputs: Outputs) -> list[Prediction]:
        """How far the made sound's frames are from those given, in nats; the sound itself is `model.vocode`'s."""
        return [Prediction(round(float(wrong), 6)) for wrong in outputs["mel_error"].detach().tolist()]

    @classmethod
    def example(cls) -> Example:
        random = np.random.default_rng(0)
        sizes = (900, 400, 1_300, 80, 700, 1_000, 500, 650)
        records = [
            Record(f"row-{i}", Sound(data=sounds.as_wav(0.3 * random.standard_normal(size), 8_000)))
            for i, size in enumerate(sizes)
        ]
        return Example(cls(rate=8_000, piece=0.05, channels=3), records)


class Vocos(nn.Module):
    """The head: what makes samples of states, and the critics."""

    def __init__(self, task: Vocode, frames: Frames, dim: int) -> None:
        super().__init__()
        self.piece = 1 + max(1, round(task.piece / frames.framing.seconds))
        self.spectrum = SpectrumHead(frames, dim)
        self.critics = Critics(RESOLUTIONS, task.channels)

    def said(self, encoder: Encoder, units: Units) -> tuple[Tensor, Tensor]:
        """Logarithms of magnitudes, and phases, `(B, T, F)` each."""
        assert units.values is not None
        return self.spectrum.said(encoder(units).states, self.spectrum.logs(units.values))


def _sized(samples: Tensor, size: int) -> Tensor:
    """`(B, size)`: cut, or with zeros behind."""
    return F.pad(samples, (0, max(0, size - samples.shape[1])))[:, :size]
