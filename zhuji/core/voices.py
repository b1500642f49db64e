"""What a task that speaks has in common with whoever wants to hear it.

Shapes: B rows, N units of a text, T frames, M mel bands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from zhuji.core.contracts import Encoder
from zhuji.core.framing import Framing
from zhuji.core.records import Record
from zhuji.core.units import Units


@dataclass(frozen=True)
class Voice:
    """How texts are to be said. `speed`: times as fast as the model learned; `speaker`: one of the task's `voices`, None: the first."""

    speed: float = 1.0
    speaker: str | None = None


@dataclass(frozen=True)
class Said:
    """`frames (B, T, M)`: logarithms of powers, not normalised; `real (B, T)`: which there are; `durations (B, N)` int64: frames of each unit, 0 of padding."""

    frames: Tensor
    real: Tensor
    durations: Tensor


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
