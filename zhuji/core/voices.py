"""What a task that speaks has in common with whoever wants to hear it.

Shapes: B rows, N units of a text, T frames, M mel bands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.config import Settings
from zhuji.core.contracts import Encoder
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Units


class Framing(Settings):
    """How frames are made of samples: logarithms of the power in mel bands, one frame every `hop` seconds."""

    rate: int = Field(default=16_000, ge=1_000, le=192_000)
    """Samples a second."""
    window: float = Field(default=0.05, gt=0, le=1)
    """Seconds that a frame looks at."""
    hop: float = Field(default=0.0125, gt=0, le=1)
    """Seconds from frame to frame."""
    bands: int = Field(default=80, gt=1, le=512)
    """Mel bands."""
    low: float = Field(default=0.0, ge=0)
    """Hertz where the lowest band begins."""
    high: float | None = Field(default=None, gt=0)
    """Hertz where the highest one ends; None: half the rate."""
    scale: Literal["slaney", "htk"] = "slaney"
    """Of the mel bands."""
    floor: float = Field(default=-16.0, ge=-24, le=0)
    """Logarithm of the power in a band below which all is silence: what lies deeper is not learned."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.low < self.top <= self.rate / 2 or self.step < 1 or self.span < 2:
            raise ValueError(
                in_language(
                    "must have low < high <= rate / 2, and a window and a hop of whole samples",
                    "须 low < high ≤ rate / 2，且 window 与 hop 至少一个采样",
                )
            )
        return self

    @property
    def step(self) -> int:
        """Samples from frame to frame."""
        return round(self.hop * self.rate)

    @property
    def span(self) -> int:
        """Samples of a window."""
        return round(self.window * self.rate)

    @property
    def points(self) -> int:
        """Of the Fourier transform: a power of two."""
        return 1 << max(1, (self.span - 1).bit_length())

    @property
    def top(self) -> float:
        """Hertz where the highest band ends."""
        return self.rate / 2 if self.high is None else self.high

    @property
    def seconds(self) -> float:
        """From frame to frame, as it came out in whole samples."""
        return self.step / self.rate


@dataclass(frozen=True)
class Voice:
    """How texts are to be said. `speed`: times as fast as the model learned; `speaker`: one of the task's `voices`, None: the first."""

    speed: float = 1.0
    speaker: str | None = None


@dataclass(frozen=True)
class Said:
    """`frames (B, T, M)`: logarithms of powers, not normalised; `real (B, T)`: which there are; `durations (B, N)` int64: frames of each unit, 0 of padding and of one that
    was skipped; `again (B, N)` int64: how many of these come after frames of a later unit."""

    frames: Tensor
    real: Tensor
    durations: Tensor
    again: Tensor


class Speaks(ABC):
    """A task that makes frames of sound out of texts."""

    @property
    @abstractmethod
    def framing(self) -> Framing: ...

    @property
    @abstractmethod
    def voices(self) -> tuple[str, ...]:
        """Names of the voices that training met; empty where it knew of none."""

    @abstractmethod
    def voice_of(self, record: Record) -> str | None:
        """Who of the voices said a row's recording; None where training met no such one."""

    @abstractmethod
    def said(self, encoder: Encoder, head: nn.Module, units: Units, voice: Voice) -> Said:
        """By a model at rest and without gradients. Raises UnknownName for a speaker whom training never met."""
