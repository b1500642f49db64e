"""Frames of sound: how they are made of samples.

Shapes: T frames, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from zhuji.core.config import Settings
from zhuji.core.log import in_language


class Windowed(Settings):
    """Sound is looked at through windows of `window` seconds, of which one begins every `hop` seconds: what that comes to in samples."""

    rate: int = Field(default=16_000, ge=1_000, le=192_000)
    """Samples a second."""
    window: float = Field(gt=0, le=1)
    """Seconds that are looked at."""
    hop: float = Field(gt=0, le=1)
    """Seconds from one to the next."""

    @model_validator(mode="after")
    def _whole_samples(self) -> Self:
        if self.step < 1 or self.span < 2:
            raise ValueError(
                in_language(
                    "must have a window and a hop of whole samples at this rate", "window 与 hop 在该采样率下须至少一个采样"
                )
            )
        return self

    @property
    def step(self) -> int:
        """Samples from one window to the next."""
        return round(self.hop * self.rate)

    @property
    def span(self) -> int:
        """Samples of a window."""
        return round(self.window * self.rate)

    @property
    def points(self) -> int:
        """Of the Fourier transform: a power of two."""
        return 1 << (self.span - 1).bit_length()

    @property
    def seconds(self) -> float:
        """From one window to the next, as it came out in whole samples."""
        return self.step / self.rate


class Banded(Windowed):
    """Of what a window shows, logarithms of the power in mel bands."""

    bands: int = Field(default=80, gt=1, le=512)
    """Mel bands."""
    low: float = Field(default=0.0, ge=0)
    """Hertz where the lowest band begins."""
    high: float | None = Field(default=None, gt=0)
    """Hertz where the highest one ends; None: half the rate."""
    scale: Literal["slaney", "htk"] = "slaney"
    """Of the mel bands."""
    floor: float = Field(ge=-24, le=0)
    """Logarithm of the power in a band below which all is silence."""

    @model_validator(mode="after")
    def _bands_are_heard(self) -> Self:
        if not self.low < self.top <= self.rate / 2:
            raise ValueError(in_language("must have low < high <= rate / 2", "须 low < high ≤ rate / 2"))
        return self

    @property
    def top(self) -> float:
        """Hertz where the highest band ends."""
        return self.rate / 2 if self.high is None else self.high


class Framing(Banded):
    """How frames are made of samples: logarithms of the power in mel bands, one frame every `hop` seconds."""

    window: float = Field(default=0.05, gt=0, le=1)
    """Seconds that a frame looks at."""
    hop: float = Field(default=0.0125, gt=0, le=1)
    """Seconds from frame to frame."""
    floor: float = Field(default=-16.0, ge=-24, le=0)
    """Logarithm of the power in a band below which all is silence: what lies deeper is not learned."""

    def differs(self, other: Framing) -> tuple[str, ...]:
        """Names of the settings by which the frames `(T, M)` of the two are others; none where they are the same."""
        same = {
            "rate": self.rate == other.rate, "window": self.span == other.span, "hop": self.step == other.step, "bands": self.bands == other.bands,
            "low": self.low == other.low, "high": self.top == other.top, "scale": self.scale == other.scale, "floor": self.floor == other.floor,
        }  # fmt: skip
        return tuple(name for name, agrees in same.items() if not agrees)


@dataclass(frozen=True)
class Frames:
    """Of units that are such frames of a whole sound: from each band its `mean` was taken, and the rest divided by its `deviation`, `(M,)`; empty of what
    has measured nothing yet."""

    framing: Framing
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
