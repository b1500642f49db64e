"""Heads that say at every place of a grid what stands there and where it begins and ends. Boxes are fractions of the picture's width and height:
what a cell stands for is a share of the real grid, so padding moves nothing.

Shapes: B rows, N places, K classes, A default boxes of a cell, D width of a state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.boxes import centred, cornered
from zhuji.nn.planes import ConvNorm, Plane, convolution, opened, rectified

_RARE = 0.01
"""Probability with which every place says at first that it holds an object of a class (Lin et al. 2017, section 3.3)."""
_FARTHEST = 4.0
"""Logarithm beyond which no side grows."""

Found = dict[str, Tensor]
"""`logits (B, N, K)` and `boxes (B, N, 4)` of each place; `places (B, N, 4)`: the cells, or the default boxes, themselves; `real (B, N)`: where there is one."""


class Tower(nn.Module):
    """3 x 3 convolutions with batch norm, one after the other."""

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ConvNorm(width if number else inputs, width, 3) for number in range(depth))

    def forward(self, plane: Plane) -> Plane:
        for layer in self.layers:
            plane = rectified(layer(plane))
        return plane


class CellHead(nn.Module):
    """`Features` -> `Found`: each cell says how far its object's middle is, how large the object is, and how sure it is of each class, without
    default boxes (in the line of Redmon et al. 2016, YOLO, and Tian et al. 2019, FCOS). `side`: the usual side of an object, as a share of
    the picture's. Told from the middle, an object smaller than a cell is a box, too.
    """

    def __init__(self, dim: int, classes: int, *, width: int, depth: int, side: float) -> None:
        super().__init__()
        self.side = side
        self.what, self.where = Tower(dim, width, depth), Tower(dim, width, depth)
        self.logits, self.moves = _last(width, classes, _RARE), _last(width, 4)

    def forward(self, features: Features) -> Found:
        plane = opened(features)
        cells, mask = cells_of(features.mask)
        moves = self.moves(self.where(plane).states).flatten(2).transpose(1, 2).float()
        middle = centred(cells)[..., :2] + moves[..., :2] * self.side
        boxes = cornered(torch.cat((middle, moves[..., 2:].clamp(max=_FARTHEST).exp() * self.side), -1))
        logits = self.logits(self.what(plane).states).flatten(2).transpose(1, 2)
        return {"logits": logits, "boxes": boxes, "places": cells, "real": mask}


class ScalesHead(nn.Module):
    """`Features` -> `Found`: on grids that become coarser, each made from the one before by a stride of 2, every cell moves and resizes `A` default
    boxes (Liu et al. 2016, SSD, section 2.2). `sides`: of the default boxes of the finest and coarsest grid, as shares of the picture's."""

    def __init__(self, dim: int, classes: int, *, width: int, scales: int, sides: tuple[float, float]) -> None:
        super().__init__()
        self.classes, self.shapes = classes, default_shapes(scales, sides)
        count = len(self.shapes[0])
        self.entry = ConvNorm(dim, width, 3)
        self.coarser = nn.ModuleList(ConvNorm(width, width, 3, stride=2) for _ in range(scales - 1))
        self.logits = nn.ModuleList(_last(width, count * classes, _RARE) for _ in range(scales))
        self.moves = nn.ModuleList(_last(width, count * 4) for _ in range(scales))

    def forward(self, features: Features) -> Found:
        plane, found = rectified(self.entry(opened(features))), list[Found]()
        mask = features.mask
        for number, shapes in enumerate(self.shapes):
            if number:
                plane, mask = rectified(self.coarser[number - 1](plane)), mask[:, ::2, ::2]
            found.append(self._level(plane, mask, number, shapes))
        return {name: torch.cat([level[name] for level in found], 1) for name in found[0]}

    def _level(self, plane: Plane, mask: Tensor, number: int, shapes: Sequence[tuple[float, float]]) -> Found:
        rows, count = mask.shape[0], len(shapes)
        cells, real = cells_of(mask)
        sides = cells.new_tensor(shapes).expand(rows, cells.shape[1], count, 2)
        places = torch.cat((centred(cells)[..., None, :2].expand(-1, -1, count, -1), sides), -1).flatten(1, 2)
        moves = self.moves[number](plane.states).permute(0, 2, 3, 1).reshape(rows, -1, 4).float()
        # The paper's variances: a move of 0.1 of a side counts as one.
        middle = places[..., :2] + 0.1 * moves[..., :2] * places[..., 2:]
        size = places[..., 2:] * (0.2 * moves[..., 2:]).clamp(max=_FARTHEST).exp()
        logits = self.logits[number](plane.states).permute(0, 2, 3, 1).reshape(rows, -1, self.classes)
        boxes = cornered(torch.cat((middle, size), -1))
        return {"logits": logits, "boxes": boxes, "places": cornered(places), "real": real.repeat_interleave(count, 1)}


def default_shapes(scales: int, sides: tuple[float, float]) -> list[list[tuple[float, float]]]:
    """Width and height of the default boxes of each grid: a square, one twice as wide, one twice as high, and a square between this grid's and the
    next one's (Liu et al. 2016, section 2.2). Sides grow by a constant factor from grid to grid: objects differ by factors."""
    low, high = sides
    growth = (high / low) ** (1 / max(scales - 1, 1))
    steps = [low * growth**number for number in range(scales + 1)]
    wide = math.sqrt(2)
    return [
        [(side, side), (side * wide, side / wide), (side / wide, side * wide), (between, between)]
        for side, after in pairwise(steps)
        for between in [math.sqrt(side * after)]
    ]


def cells_of(mask: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, N, 4)` and `(B, N)` from a grid's `mask (B, H, W)`: each cell as a box, the real rows and columns of a row being its whole picture."""
    rows, height, width = mask.shape
    sides = torch.stack((mask.any(1).sum(1), mask.any(2).sum(1)), 1).clamp_min(1)  # (B, 2): columns, rows
    number = torch.arange(height * width, device=mask.device)
    first = torch.stack((number % width, number // width), -1)[None]
    share = sides[:, None].float()
    return torch.cat((first / share, (first + 1) / share), -1), mask.reshape(rows, -1)


def _last(width: int, outputs: int, probability: float | None = None) -> nn.Conv2d:
    layer = convolution(width, outputs, 3, bias=True)
    nn.init.normal_(layer.weight, std=0.01)
    if probability is not None and layer.bias is not None:
        nn.init.constant_(layer.bias, math.log(probability / (1 - probability)))
    return layer
