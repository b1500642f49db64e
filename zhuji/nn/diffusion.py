"""Diffusion: values are lost in noise step by step, and a network learns to find them again (Ho et al. 2020, DDPM).

x_t = a_t x + s_t e with a_t^2 + s_t^2 = 1 and e normal; t = 0 is the row itself, t = N almost nothing but noise.
Shapes: B rows, *V the values of a row, N steps, L levels, E width of what is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.layers import linear
from zhuji.nn.makers import Classes

Course = Literal["cosine", "linear"]
Guess = Literal["velocity", "noise"]
_OFFSET = 0.008
_LARGEST = 0.999
_LINEAR = (1e-4, 0.02)
"""First and last share of noise of 1,000 steps (Ho et al. 2020, section 4)."""


@dataclass(frozen=True)
class Noising:
    """How much of a row is left at each step. cosine: Nichol & Dhariwal 2021, equation 17; linear: Ho et al. 2020, section 4, its shares for
    another number of steps multiplied by 1000 / N. `guess`: what the network says: the noise e, or the velocity a e - s x (Salimans & Ho 2022,
    appendix D), which still means something where nothing of x is left."""

    course: Course
    steps: int
    guess: Guess

    @cached_property
    def left(self) -> Tensor:
        """`(N + 1,)` float32: a_t^2."""
        if self.course == "cosine":
            place = (torch.arange(self.steps + 1, dtype=torch.float64) / self.steps + _OFFSET) / (1 + _OFFSET)
            whole = (place * math.pi / 2).cos().square()
            shares = (1 - whole[1:] / whole[:-1]).clamp(0, _LARGEST)
        else:
            scale = 1000 / self.steps
            shares = torch.linspace(_LINEAR[0] * scale, _LINEAR[1] * scale, self.steps, dtype=torch.float64).clamp(0, _LARGEST)
        return torch.cat((torch.ones(1, dtype=torch.float64), (1 - shares).cumprod(0))).float()

    def parts(self, times: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """a and s at `times (B,)` int64, each `(B, 1, …)` to be multiplied with `like (B, *V)`."""
        left = self.left.to(times.device)[times].view(-1, *(1,) * (like.ndim - 1))
        return left.sqrt(), (1 - left).sqrt()

    def noised(self, values: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """x_t of `values (B, *V)`."""
        signal, lost = self.parts(times, values)
        return signal * values + lost * noise

    def wanted(self, values: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the network should say of x_t."""
        signal, lost = self.parts(times, values)
        return noise if self.guess == "noise" else signal * noise - lost * values

    def meant(self, said: Tensor, noised: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """The values and the noise that the network means by what it said of x_t."""
        signal, lost = self.parts(times, noised)
        if self.guess == "velocity":
            return signal * noised - lost * said, lost * noised + signal * said
        return (noised - lost * said) / signal.clamp_min(1e-4), said

    def levels(self, count: int) -> Tensor:
        """`(L,)` int64: steps at even distances within the course, neither its first nor its last."""
        return (torch.arange(1, count + 1) * self.steps / (count + 1)).round().long()

    def drawn(self, say: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int) -> Tensor:
        """Rows out of `noise (B, *V)` in so many steps that add no further noise (Song et al. 2021, DDIM, equation 12 with sigma 0).
        `say(x_t, times)`: the network."""
        stops = torch.linspace(self.steps, 0, min(steps, self.steps) + 1).round().long().tolist()
        values = noise
        for now, then in pairwise(stops):
            times = torch.full((len(noise),), now, device=noise.device)
            found, lost = self.meant(say(values, times), values, times)
            values = self.noised(found, lost, torch.full_like(times, then))
        return values


def guided(with_class: Tensor, without: Tensor, strength: float) -> Tensor:
    """What the network says, drawn towards the class: at 1 as it says it of the class, at 0 of none (Ho & Salimans 2022, equation 6, where w is
    `strength` - 1)."""
    return without + strength * (with_class - without)


class Telling(nn.Module):
    """What a denoiser is told: how noisy a row is, by sines and cosines of its step, and its class. `(B,)` twice -> `(B, E)`."""

    def __init__(self, width: int, classes: int, steps: int) -> None:
        super().__init__()
        self.steps, self.waves = steps, max(width // 2, 8)
        self.rise, self.fall = linear(2 * self.waves, 4 * width), linear(4 * width, width)
        self.classes = Classes(classes, width)

    def forward(self, times: Tensor, classes: Tensor) -> Tensor:
        rates = 10_000.0 ** -(torch.arange(self.waves, device=times.device) / self.waves)
        angles = (times / self.steps * 1000)[:, None] * rates
        level = self.fall(F.silu(self.rise(torch.cat((angles.sin(), angles.cos()), -1))))
        return level + self.classes(classes)
