"""Networks that make pictures out of a vector, and that read pictures into one.

Shapes: B rows, Z numbers of a vector, K classes, C values of a unit, H and W the grid of the rows, S cells a side, D width of a state.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.layers import embedding, linear
from zhuji.nn.modulated import GroupNorm
from zhuji.nn.planes import Plane, convolution

_COARSEST = 8
"""Sides below this are not halved further on the way to where a picture begins."""


class Classes(nn.Module):
    """A vector for each of K classes and one more, K, for rows of none. `(B,)` int64, -1 of none -> `(B, width)`."""

    def __init__(self, count: int, width: int, deviation: float = 1.0) -> None:
        super().__init__()
        self.count = count
        self.table = embedding(count + 1, width, deviation=deviation)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.table(torch.where(numbers < 0, self.count, numbers))


class Maker(nn.Module):
    """A vector and a class to values `(B, H, W, C)`: a coarse plane, doubled and convolved until it covers the grid (Radford et al. 2016,
    section 3, with resizing in place of strides, Odena et al. 2016). Vector and class also scale and shift every layer."""

    def __init__(self, inputs: int, classes: int, grid: tuple[int, int], values: int, width: int) -> None:
        super().__init__()
        doublings = _doublings(min(grid))
        self.grid = grid
        self.sides = tuple(-(-side // 2**doublings) for side in grid)
        widths = [width * min(2**level, 4) for level in reversed(range(doublings + 1))]
        self.classes = Classes(classes, inputs)
        told = 2 * inputs
        self.entry = linear(told, widths[0] * self.sides[0] * self.sides[1])
        self.norms = nn.ModuleList(GroupNorm(each, told) for each in widths)
        self.layers = nn.ModuleList(
            convolution(taken, given, 3) for taken, given in zip(widths, [*widths[1:], widths[-1]], strict=True)
        )
        self.last, self.exit = GroupNorm(widths[-1], told), convolution(widths[-1], values, 3, bias=True)
        with torch.no_grad():
            self.exit.weight.mul_(0.5)

    def forward(self, vectors: Tensor, classes: Tensor) -> Tensor:
        told = torch.cat((vectors, self.classes(classes)), -1)
        states = self.entry(told).view(len(told), -1, *self.sides).contiguous(memory_format=torch.channels_last)
        for number, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            if number:
                states = F.interpolate(states, scale_factor=2.0, mode="nearest")
            states = layer(F.relu(norm(Plane(states, None), told).states))
        states = self.exit(F.relu(self.last(Plane(states, None), told).states))
        high, wide = self.grid
        return states[:, :, :high, :wide].permute(0, 2, 3, 1).float()


def _doublings(side: int) -> int:
    count = 0
    while side >= _COARSEST:
        side, count = -(-side // 2), count + 1
    return count


class Summary(nn.Module):
    """States of a row without padding to one vector that knows where things stand: `Features` -> `(B, out)`. The plane is averaged over S x S
    equal parts, which are put side by side and mapped once."""

    def __init__(self, dim: int, out: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.map = linear(dim * side**2, out)

    def forward(self, features: Features) -> Tensor:
        states = features.states
        down, across = (_parts(size, self.side).to(states) for size in states.shape[1:3])
        # Products that every format can hold: B x S x (W D), then B x S x S x D.
        rows = (down @ states.flatten(2)).unflatten(2, states.shape[2:])
        return F.leaky_relu(self.map((across @ rows).flatten(1)), 0.2)


def _parts(size: int, count: int) -> Tensor:
    """`(count, size)`: what each unit counts in each of as many equal parts, each row summing to 1."""
    ends = torch.arange(count + 1) * (size / count)
    units = torch.arange(size)
    shares = torch.minimum(ends[1:, None], units + 1.0) - torch.maximum(ends[:-1, None], units * 1.0)
    shares = shares.clamp_min(0)
    return shares / shares.sum(1, keepdim=True)
