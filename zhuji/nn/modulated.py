"""Residual blocks over pictures that listen to what is told of the row as a whole: how noisy it is, of which class (Dhariwal & Nichol 2021,
section 3 and appendix; Perez et al. 2018).

Shapes: B rows, C channels, H and W the grid, G groups, E width of what is told.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.attention import SelfAttention, allowed, biases
from zhuji.nn.layers import linear
from zhuji.nn.planes import Plane, convolution

_WIDEST = 8
_EPS = 1e-5


def groups_of(dim: int) -> int:
    """How many groups of channels are normalised together: of 8 channels or more where `dim` allows it."""
    return next(count for count in range(max(dim // _WIDEST, 1), 0, -1) if dim % count == 0)


class GroupNorm(nn.Module):
    """Group normalisation of a plane (Wu & He 2018): real units alone make the statistics, and padding is zero. With `told (B, E)`, scale and
    shift of each channel are a linear map of it, beside what they are for all rows."""

    def __init__(self, dim: int, told: int = 0) -> None:
        super().__init__()
        self.groups = groups_of(dim)
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.told = linear(told, 2 * dim, bias=False) if told else None

    def forward(self, plane: Plane, told: Tensor | None = None) -> Plane:
        if self.told is None:
            return plane.with_states(self._normalised(plane, self.weight, self.bias)).zeroed()
        assert told is not None
        scale, shift = self.told(told)[:, :, None, None].chunk(2, 1)
        states = self._normalised(plane, self.weight, self.bias)
        return plane.with_states(states * (1 + scale) + shift).zeroed()

    def _normalised(self, plane: Plane, weight: Tensor, bias: Tensor) -> Tensor:
        states = plane.states
        if plane.padding is None:
            return F.group_norm(states, self.groups, weight, bias, _EPS)
        rows, dim = states.shape[:2]
        units = states.float().reshape(rows, self.groups, dim // self.groups, -1)
        real = plane.padding.logical_not().flatten(1)[:, None, None]
        count = (real.sum(-1, keepdim=True) * units.shape[2]).clamp_min(1)
        mean = (units * real).sum((2, 3), keepdim=True) / count
        centred = (units - mean) * real
        variance = centred.square().sum((2, 3), keepdim=True) / count
        found = (centred * (variance + _EPS).rsqrt()).reshape(states.shape).to(states.dtype)
        return found * weight[:, None, None] + bias[:, None, None]


class ToldBlock(nn.Module):
    """x + convolution(silu(norm(convolution(silu(norm(x))), told))), as in Dhariwal & Nichol 2021; the shortcut is a 1 x 1 convolution where the
    channels change. The branch begins at `gain` of its usual size."""

    def __init__(self, inputs: int, outputs: int, told: int, gain: float = 0.1) -> None:
        super().__init__()
        self.first, self.second = GroupNorm(inputs), GroupNorm(outputs, told)
        self.entry, self.exit = convolution(inputs, outputs, 3), convolution(outputs, outputs, 3)
        with torch.no_grad():
            self.exit.weight.mul_(gain)
        self.project = convolution(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, plane: Plane, told: Tensor) -> Plane:
        branch = _lit(self.first(plane))
        branch = plane.with_states(self.entry(branch.states))
        branch = _lit(self.second(branch.zeroed(), told))
        shortcut = plane.states if self.project is None else self.project(plane.states)
        return plane.with_states(shortcut + self.exit(branch.states)).zeroed()


def _lit(plane: Plane) -> Plane:
    return plane.with_states(F.silu(plane.states))


class PlaneAttention(nn.Module):
    """x + attention(norm(x)): every unit of the plane looks at every other."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm = GroupNorm(dim)
        self.attention = SelfAttention(dim, heads, gain=0.1)

    def forward(self, plane: Plane) -> Plane:
        units = self.norm(plane).states.permute(0, 2, 3, 1)
        may_see = None if plane.padding is None else biases(allowed(plane.padding.logical_not().flatten(1), False))
        seen = self.attention(units.flatten(1, 2), may_see).view(units.shape)
        return plane.with_states(plane.states + seen.permute(0, 3, 1, 2)).zeroed()
