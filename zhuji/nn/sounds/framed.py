"""Samples as the frames that a speaking model learns, and such frames as samples again.

Shapes: S samples, T frames, M mel bands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zhuji.core.framing import Framing
from zhuji.nn.sounds.griffin_lim import griffin_lim, magnitudes_of
from zhuji.nn.sounds.mel import filters, log_mel
from zhuji.nn.sounds.spectra import stft

STEPS = 60
"""Of Griffin-Lim, where nothing else is asked for."""


def bank_of(framing: Framing) -> Tensor:
    """`(F, M)`: the mel bands."""
    return filters(framing.rate, framing.points, framing.bands, (framing.low, framing.top), framing.scale)


def frames(samples: Tensor, framing: Framing) -> Tensor:
    """`samples (S,)` at `framing.rate` -> `(1 + S // step, M)` float32, nowhere below `framing.floor`."""
    return frames_of_rows(samples[None], framing)[0]


def frames_of_rows(samples: Tensor, framing: Framing) -> Tensor:
    """As `frames`, of each row: `(B, S)` -> `(B, 1 + S // step, M)`."""
    spectra = stft(samples.float(), framing.span, framing.step, framing.points)
    return log_mel(spectra, bank_of(framing)).clamp_min(framing.floor)


def samples(frames: Tensor, framing: Framing, steps: int = STEPS) -> Tensor:
    """`frames (T, M)` -> `((T - 1) * step,)` float32 in [-1, 1], by fast Griffin-Lim: the same for the same frames. What is silent in a band stays silent."""
    logs = frames.float().masked_fill(frames <= framing.floor, -torch.inf)
    magnitudes = magnitudes_of(logs[None], bank_of(framing))
    found = griffin_lim(
        magnitudes, framing.span, framing.step, max(1, len(frames) - 1) * framing.step, steps=steps,
        chance=torch.Generator().manual_seed(0),
    )  # fmt: skip
    return found[0].clamp(-1, 1)
