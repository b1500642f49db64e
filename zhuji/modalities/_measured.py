"""What the training split taught about sounds: mean and deviation of each channel of what the first layer sees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Self

import numpy as np

from zhuji.core.config import Settings
from zhuji.data.moments import Moments

_LEAST = 1e-3
"""Deviation of channels that never change."""


class Measured(Settings):
    """`mean` and `deviation` of each channel, measured on so many `sounds`."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    sounds: int

    @classmethod
    def of(cls, parts: Iterable[np.ndarray], channels: int) -> Self:
        """`parts`: of each sound `(T, C)`."""
        moments, count = Moments(channels), 0
        for part in parts:
            moments.add(part)
            count += 1
        return cls(mean=moments.mean, deviation=moments.deviation(_LEAST), sounds=count)

    @classmethod
    def read(cls, data: bytes, channels: int, file: str) -> Self:
        """What `written` gave. Raises ValueError where it does not hold a mean and a deviation for each of so many channels."""
        found = cls.parse(json.loads(data))
        sizes = {len(found.mean), len(found.deviation)}
        if sizes != {channels} or not np.isfinite((*found.mean, *found.deviation)).all() or min(found.deviation) <= 0:
            raise ValueError(f"{file} must hold a mean and a deviation above 0 for each of {channels} channels")
        return found

    def written(self) -> bytes:
        return json.dumps(self.plain(), sort_keys=True).encode()
