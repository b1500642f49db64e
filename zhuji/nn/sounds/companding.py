"""Samples as ids: finer near silence, where ears hear more (ITU-T G.711; van den Oord et al. 2016, WaveNet, section 2.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEVELS = 256


def companded(samples: Tensor, levels: int = LEVELS) -> Tensor:
    """Samples in [-1, 1] -> int64 ids in [0, levels); what is louder counts as full scale."""
    mu = levels - 1
    clipped = samples.clamp(-1, 1)
    pressed = clipped.sign() * torch.log1p(mu * clipped.abs()) / math.log1p(mu)
    return ((pressed + 1) / 2 * mu + 0.5).floor().long()


def expanded(ids: Tensor, levels: int = LEVELS) -> Tensor:
    """The inverse, float32, up to half a step."""
    mu = levels - 1
    pressed = 2 * ids.float() / mu - 1
    return pressed.sign() * torch.expm1(pressed.abs() * math.log1p(mu)) / mu
