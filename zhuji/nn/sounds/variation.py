"""How training sounds are varied, on their log-mel bands: all of it drawn from one generator, so that a training that goes on sees what it would
have seen.

The features of a sound are computed once, so that a model never waits for them; what follows is therefore done on powers in bands. Powers of
sounds that know nothing of each other add up (on average, their phases being chance), a gain adds to every logarithm, and a tape that runs
faster squeezes time and moves what was heard at a frequency f to one times f.
Shapes: B rows, T frames, M bands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from zhuji.core.config import Settings
from zhuji.core.log import in_language

Share = Annotated[float, Field(ge=0, le=1)]
_DECIBEL = math.log(10) / 10


class Variation(Settings):
    """What is done to training sounds, in this order; everything is off until it is asked for."""

    speed: tuple[float, float] = (1.0, 1.0)
    """Played so many times as fast, pitch and all: between the slowest and the fastest (Ko et al. 2015)."""
    noise: Share = 0.0
    """Probability that another sound is laid under one: of the folder, or another of the batch."""
    snr: tuple[float, float] = (5.0, 20.0)
    """By how many decibels the sound is louder than what is laid under it, least and most."""
    noise_folder: str | None = Field(default=None, min_length=1)
    """A folder of sounds to lay under; None: others of the batch."""
    gain: float = Field(default=0.0, ge=0, le=60)
    """Louder or softer by at most so many decibels."""
    time_masks: int = Field(default=0, ge=0, le=100)
    """Runs of frames that are hidden (SpecAugment; Park et al. 2019, section 2). Hidden is what becomes the mean."""
    time_width: int = Field(default=40, gt=0, le=10_000)
    """Frames of such a run at most."""
    time_share: float = Field(default=0.2, gt=0, le=1)
    """Share of a row that one such run hides at most."""
    band_masks: int = Field(default=0, ge=0, le=100)
    """Runs of bands that are hidden."""
    band_width: int = Field(default=15, gt=0, le=10_000)
    """Bands of such a run at most."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not 0.25 <= self.speed[0] <= self.speed[1] <= 4:
            raise ValueError(
                in_language("speed must be two rising factors of 0.25 to 4", "speed 须为 0.25 至 4 之间两个递增的倍数")
            )
        if not -60 <= self.snr[0] <= self.snr[1] <= 60:
            raise ValueError(in_language("snr must be two rising numbers of -60 to 60", "snr 须为 -60 至 60 之间两个递增的数"))
        return self

    @property
    def off(self) -> bool:
        return not (self.changes_powers or self.time_masks or self.band_masks)

    @property
    def changes_powers(self) -> bool:
        """Whether it asks for log-mel bands, as cepstra have no powers."""
        return self.speed != (1.0, 1.0) or self.noise > 0 or self.gain > 0

    def loud(
        self, logs: Tensor, mask: Tensor, mels: Tensor, noises: Sequence[Tensor], chance: Generator
    ) -> tuple[Tensor, Tensor]:
        """Speed, noise and gain. `logs (B, T, M)` are logarithms of powers, `mask (B, T)` their frames, `mels (M,)` the bands' middles in hertz;
        `noises`: log-mel `(N, M)` of the folder's sounds. Gives logarithms and mask, on a grid that is longer or shorter where speed changes."""
        if self.speed != (1.0, 1.0):
            low, high = self.speed
            logs, mask = sped(logs, mask, mels, low + (high - low) * torch.rand(len(logs), generator=chance))
        if self.noise:
            logs = self._laid_under(logs, mask, noises, chance)
        if self.gain:
            logs = logs + (2 * torch.rand(len(logs), 1, 1, generator=chance) - 1) * self.gain * _DECIBEL
        return logs, mask

    def _laid_under(self, logs: Tensor, mask: Tensor, noises: Sequence[Tensor], chance: Generator) -> Tensor:
        rows, frames = mask.shape
        if not noises and rows < 2:
            return logs
        order = torch.randperm(rows, generator=chance)
        other = torch.empty_like(order).scatter(0, order, order.roll(1))
        drawn, wanted = torch.rand(rows, generator=chance), torch.rand(rows, generator=chance)
        chosen, starts = torch.randint(max(len(noises), 1), (rows,), generator=chance), torch.rand(rows, generator=chance)
        under = []
        for row in range(rows):
            noise = noises[int(chosen[row])] if noises else logs[other[row], mask[other[row]]]
            # Round and round, from anywhere.
            under.append(noise[(torch.arange(frames) + int(float(starts[row]) * len(noise))) % len(noise)])
        low, high = self.snr
        mixed = mixed_at(logs, torch.stack(under), mask, low + (high - low) * wanted)
        return torch.where((drawn < self.noise)[:, None, None], mixed, logs)

    def hidden(self, values: Tensor, mask: Tensor, chance: Generator) -> Tensor:
        """Time and band masks: normalised `values (B, T, M)`, of which zero is the mean."""
        rows, frames, bands = values.shape
        count = mask.sum(1, keepdim=True).float()
        if self.time_masks:
            most = (count * self.time_share).clamp_max(self.time_width)
            values = values.masked_fill(_runs(self.time_masks, most, count, frames, chance)[:, :, None], 0.0)
        if self.band_masks:
            whole = torch.full((rows, 1), float(bands))
            most = whole.clamp_max(self.band_width)
            values = values.masked_fill(_runs(self.band_masks, most, whole, bands, chance)[:, None, :], 0.0)
        return values


def _runs(number: int, most: Tensor, of: Tensor, size: int, chance: Generator) -> Tensor:
    """`(B, size)`: where one of `number` runs of 0 to `most (B, 1)` places lies, somewhere in the first `of (B, 1)`."""
    wide = ((most.floor() + 1) * torch.rand(len(most), number, generator=chance)).floor()
    start = ((of - wide + 1) * torch.rand(len(most), number, generator=chance)).floor()
    place = torch.arange(size)[None, None]
    return ((place >= start[..., None]) & (place < (start + wide)[..., None])).any(1)


def mixed_at(logs: Tensor, noise: Tensor, mask: Tensor, snr: Tensor) -> Tensor:
    """Log powers `(B, T, M)` of both together, the noise so loud that the first is `snr (B,)` decibels louder, over the frames of `mask`."""

    def loudness(of: Tensor) -> Tensor:
        total = of.masked_fill(~mask[..., None], -torch.inf).flatten(1).logsumexp(1)
        return total[:, None, None]

    level = loudness(logs) - loudness(noise) - snr[:, None, None] * _DECIBEL
    return torch.logaddexp(logs, noise + level)


def sped(logs: Tensor, mask: Tensor, mels: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Played `factor (B,)` times as fast. `mels (M,)`: the middles of the bands in hertz, rising. What is heard in a band was in one `factor` times
    lower; above the highest band that was heard nothing is known, and the nearest is taken."""
    count = mask.sum(1)
    lengths = (count / factor).round().long().clamp_min(1)
    frames = int(lengths.max())
    time = (torch.arange(frames)[None] * factor[:, None]).minimum((count[:, None] - 1).clamp_min(0))
    moved = _between(logs, time)
    wanted = mels[None] / factor[:, None]
    above = torch.searchsorted(mels, wanted).clamp(1, len(mels) - 1)
    share = ((wanted - mels[above - 1]) / (mels[above] - mels[above - 1])).clamp(0, 1)
    bands = _between(moved.transpose(1, 2), above - 1 + share).transpose(1, 2)
    return bands, torch.arange(frames)[None] < lengths[:, None]


def _between(values: Tensor, place: Tensor) -> Tensor:
    """`values (B, N, D)` at `place (B, K)` along N, between neighbours in proportion: `(B, K, D)`."""
    low = place.floor().long().clamp(0, values.shape[1] - 1)
    high = (low + 1).clamp_max(values.shape[1] - 1)
    share = (place - low)[..., None]
    pick = [index[..., None].expand(-1, -1, values.shape[-1]) for index in (low, high)]
    return values.gather(1, pick[0]) * (1 - share) + values.gather(1, pick[1]) * share
