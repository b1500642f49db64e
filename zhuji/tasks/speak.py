"""Speaking: a text as frames of sound, all of them at once or one group after the other.

Nobody tells in which frames a unit is said: units and frames are aligned while the voice is learned (Badlani et al. 2021).
Shapes: B rows, N units, T frames, M mel bands, D width of a state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownName
from zhuji.core.framing import Framing
from zhuji.core.log import in_language
from zhuji.core.records import Record, Sound
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.core.voices import Said, Speaks, Voice
from zhuji.data import sounds
from zhuji.data.moments import Moments
from zhuji.metrics.units import ratio_of
from zhuji.nn.sounds.framed import frames as frames_of
from zhuji.nn.speakers import ByAttention, ByDurations, Speaker

MEASURED = 10_000
"""Recordings on which mean and deviation of the bands are measured, the first ones."""
_LEAST = 0.05
"""Deviation of bands that hardly change."""
_UNFIT = 0.05
"""Share of rows that teach nothing from which a person is told."""

Outputs = Mapping[str, Tensor]


class Speak(Task, Speaks):
    """durations: all frames at once, by how long each unit is said (Ren et al. 2019 and 2021, FastSpeech). Each unit has one run of frames, in order, so nothing can be
    skipped or said twice.

    attention: one group of frames after the other, attending to the text (Wang et al. 2017, Tacotron; Shen et al. 2018, Tacotron 2) which stays with its unit or moves on to the next (He, Deng & He 2019).

    Frames are log-mel, normalised band by band by the training recordings. The loss of a row is the sum over its frames of the mean absolute error of the bands (attention:
    also before the post-net), `alignment` times minus the log of the sum over all alignments, and `timing` times the deviance of the units' durations
    (`nn.acoustic.deviance`; attention: minus the log of the chance to move on where the recording does).

    A recording that is longer than `longest`, or that has fewer frames (attention: groups of them) than its text has units, teaches nothing and is told (`unfit`).
    """

    needs: ClassVar[Needs] = "recording"
    per_unit: ClassVar[bool] = True

    kind: Literal["durations", "attention"] = "durations"
    frames: Framing = Framing()
    layers: int = Field(default=4, gt=0, le=64)
    """Of the network over frames."""
    width: int | None = Field(default=None, gt=0, le=65_536)
    """Of a frame's state; None: that of the backbone."""
    heads: int = Field(default=4, gt=0)
    """durations: of a block."""
    hidden: int | None = Field(default=None, gt=0)
    """durations: width between the two layers of a feedforward part; defaults to 2 x width."""
    window: int = Field(default=9, gt=0)
    """durations: frames that the convolution of a block sees."""
    group: int = Field(default=2, gt=0, le=16)
    """attention: frames of a step. As a step moves on by one unit at most, texts that are said faster cannot be learned from."""
    prenet: int = Field(default=128, gt=0, le=65_536)
    """attention: width of the network that reads the last frame."""
    forget: float = Field(default=0.5, ge=0, lt=1)
    """attention: dropout of that network."""
    noise: float = Field(default=0.5, ge=0, le=10)
    """attention: deviation of what is added to the frames that are read while it learns; that of the bands is 1."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    alignment: float = Field(default=0.1, gt=0)
    """Weight of the alignment's loss."""
    timing: float = Field(default=0.5, gt=0)
    """Weight of the loss of durations, or of when to move on."""
    longest: float = Field(default=20.0, gt=0, le=600)
    """Seconds of a recording; longer ones teach nothing."""
    speaker: str | None = "speaker"
    """The column that says who speaks; None: nobody asks."""
    speakers: tuple[str, ...] = ()
    """Learned: who speaks, most recordings first."""
    mean: tuple[float, ...] = ()
    """Learned: of each band."""
    deviation: tuple[float, ...] = ()
    """Learned: of each band."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.mean) != len(self.deviation) or len(self.mean) not in (0, self.frames.bands):
            raise ValueError(in_language("must have a mean and a deviation for each band", "每个频带须各有 mean 与 deviation"))
        if not all(np.isfinite(self.mean)) or not all(np.isfinite(self.deviation)) or min(self.deviation, default=1.0) <= 0:
            raise ValueError(
                in_language("must have finite means and deviations above 0", "mean 须为有限数，deviation 须大于 0")
            )
        return self

    @property
    def loops(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.kind == "attention"

    @property
    def framing(self) -> Framing:
        return self.frames

    @property
    def voices(self) -> tuple[str, ...]:
        return self.speakers

    def voice_of(self, record: Record) -> str | None:
        told = self._speaker(record)
        return told if told in self._numbers else None

    # ---------------------------------------------------------------------------------------------------- learning

    def fit(self, records: Sequence[Record]) -> Self:
        """Measures the bands and learns who speaks."""
        moments = Moments(self.frames.bands)
        for record in records[:MEASURED]:
            moments.add(self._heard(record).numpy())
        found = Counter(filter(None, map(self._speaker, records)))
        learned = {
            "mean": moments.mean, "deviation": moments.deviation(_LEAST),
            "speakers": tuple(sorted(found, key=lambda name: (-found[name], name))),
        }  # fmt: skip
        return type(self).parse({**self.plain(), **learned})

    def _speaker(self, record: Record) -> str | None:
        told = None if self.speaker is None else record.extra.get(self.speaker)
        return None if told in (None, "") else str(told)

    def _heard(self, record: Record) -> Tensor:
        """`(T, M)` float32, not normalised; nothing of a recording that is too long."""
        heard = sounds.samples(Sound.of(record.target), self.frames.rate, self.longest)
        return torch.zeros(0, self.frames.bands) if heard.cut else frames_of(torch.from_numpy(heard.samples), self.frames)

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`frames (T, M)` float32, normalised; `spoken` () int64: how many there are, 0 of a recording that teaches nothing; `speaker` () int64."""
        heard = self._heard(record)
        mean, deviation = self._scale
        filled = (heard - mean) / deviation if len(heard) else torch.zeros(1, self.frames.bands)
        number = self._numbers.get(self._speaker(record) or "", 0)
        return {"frames": filled, "spoken": torch.tensor(len(heard)), "speaker": torch.tensor(number)}

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        bands = self.frames.bands
        # Where a network is only planned, on no device, these are numbers all the same.
        return (
            torch.tensor(self.mean or [0.0] * bands, device="cpu"),
            torch.tensor(self.deviation or [1.0] * bands, device="cpu"),
        )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.speakers)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units do not follow each other, and BadSetting where heads do not divide the width."""
        if spec.grid_ndim != 1:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=in_language("task 'speak'", "任务「speak」"),
                rule=in_language("the other says units that follow each other", "后者朗读按先后排列的单元"),
                advice=in_language("choose --set modality.name=text", "请选用 --set modality.name=text"),
            )
        width = self.width or dim
        given = (dim, len(self.speakers), self._scale, self.frames.seconds)
        shared = {"width": width, "layers": self.layers, "dropout": self.dropout}
        if self.kind == "attention":
            return ByAttention(*given, **shared, group=self.group, prenet=self.prenet, forget=self.forget, noise=self.noise)
        if width % self.heads or width // self.heads % 2:
            rule = in_language(f"must divide the width {width} into even parts", f"必须把宽度 {width} 分成偶数宽的部分")
            raise BadSetting(key="task.heads", rule=rule, value=self.heads)
        return ByDurations(*given, **shared, heads=self.heads, window=self.window, hidden=self.hidden or 2 * width)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """What `answers` gives; with recordings instead by row what `loss` and `evidence` add up, and `seconds (B,)`."""
        assert isinstance(head, Speaker)
        if "frames" not in batch.targets:
            return self.answers(encoder, head, batch.units)
        states = head.voiced(encoder(batch.units).states, batch.units.mask, batch.targets["speaker"])
        return head.learned(states, batch.units.mask, batch.targets["frames"], batch.targets["spoken"])

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`seconds (B,)` float64 before durations are rounded; `frames (B, T, M)`, `real (B, T)` and `durations (B, N)` as in `Said`; the first speaker's."""
        assert isinstance(head, Speaker)
        features = encoder(units)
        states = head.voiced(features.states, units.mask, torch.zeros_like(units.mask[:, 0], dtype=torch.int64))
        return head.said(states, units.mask, 1.0)

    def said(self, encoder: Encoder, head: nn.Module, units: Units, voice: Voice) -> Said:
        assert isinstance(head, Speaker)
        if voice.speaker is not None and voice.speaker not in self._numbers:
            raise UnknownName(
                kind=in_language("speaker", "说话人"), name=voice.speaker, choices=", ".join(self.speakers) or "–"
            )
        number = self._numbers.get(voice.speaker or "", 0)
        states = head.voiced(encoder(units).states, units.mask, torch.full_like(units.mask[:, 0], number, dtype=torch.int64))
        found = head.said(states, units.mask, voice.speed)
        return Said(found["frames"], found["real"], found["durations"])

    def loss(self, outputs: Outputs, batch: Batch) -> Ratio:
        """Over frames of the rows that teach."""
        total = outputs["error"] + self.alignment * outputs["apart"] + self.timing * outputs["timing"]
        return Ratio(total.sum().float(), outputs["terms"].sum())

    def evidence(self, outputs: Outputs, batch: Batch) -> Columns:
        """By row: `wrong`, summed over `terms` frames; `late` seconds out of `lasting`; whether it is `unfit`."""
        names = ("wrong", "apart", "terms", "late", "lasting", "unfit")
        columns = {name: outputs[name].detach().double().cpu().numpy() for name in names}
        return {**columns, "rows": np.ones_like(columns["unfit"])}

    def metrics(self) -> Mapping[str, Metric]:
        return {
            "frame_error": ratio_of("wrong", "terms", higher_is_better=False),
            "duration_error": ratio_of("late", "lasting", higher_is_better=False),
            "alignment": ratio_of("apart", "terms", higher_is_better=False),
            "unfit": ratio_of("unfit", "rows", higher_is_better=False),
        }

    def notes(self) -> Mapping[str, str]:
        return {
            "frame_error": "mean absolute error of normalised log-mel bands, "
            + ("after the recording's own frames" if self.loops else "units as long as they are in the recording"),
            "duration_error": "seconds by which whole texts are said too fast or too slowly, over seconds of the recordings",
            "alignment": "nats per frame, up to a constant: minus the log of the sum over all alignments",
        }

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        if scores.get("unfit", 0.0) <= _UNFIT:
            return []
        return [
            in_language(
                f"{scores['unfit']:.0%} of the recordings are longer than task.longest ({self.longest:g} s), or have fewer frames than their text has units, and "
                "teach nothing",
                f"{scores['unfit']:.0%} 的录音长于 task.longest（{self.longest:g} 秒），或帧数少于文本单元数，无法学习",
            )
        ]

    def decode(self, outputs: Outputs) -> list[Prediction]:
        """How many seconds a text takes; the sound itself is `said`."""
        return [Prediction(float(seconds)) for seconds in outputs["seconds"].detach().tolist()]

    @classmethod
    def example(cls) -> Example:
        random = np.random.default_rng(0)
        framing = Framing(rate=1_000, window=0.032, hop=0.016, bands=6)
        records = [
            Record(f"row-{i}", "", target=Sound(data=sounds.as_wav(0.3 * random.standard_normal(size), 1_000)), extra={"speaker": "ab"[i % 2]})
            for i, size in enumerate((500, 700, 400, 650, 900, 450, 16, 800))
        ]  # fmt: skip
        task = cls(frames=framing, layers=1, width=8, heads=2, window=3, dropout=0.0)
        return Example(task.fit(records), records)
