"""Sounds of any length as rows of equally many numbers, for models that know no time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zhuji.core.records import Sound
from zhuji.modalities.speech import Speech

RATE, SECONDS, PARTS = 8_000, 10.0, 3


def summaries(sounds: Sequence[Sound]) -> np.ndarray:
    """`(N, 4 * 13 + 3 * 13)` float64: mean and deviation of 13 MFCC and of their differences from frame to frame over the first ten seconds, and
    the mean over each third. Raises SoundError."""
    speech = Speech(rate=RATE, features="mfcc", bands=40, longest=SECONDS)
    return np.stack([_summary(np.asarray(row.values, np.float64)) for row in speech.encode(sounds)])


def _summary(frames: np.ndarray) -> np.ndarray:
    moves = np.diff(frames, axis=0) if len(frames) > 1 else np.zeros_like(frames)
    thirds = [part.mean(0) if len(part) else frames.mean(0) for part in np.array_split(frames, PARTS)]
    return np.concatenate([frames.mean(0), frames.std(0), moves.mean(0), moves.std(0), *thirds])
