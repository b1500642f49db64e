"""Pictures that are moved, turned and resized, and the boxes in them.

Shapes: B rows, H and W the grid, C colours, M boxes of a row. `values (B, H, W, C)`; boxes `(B, M, 4)` left, top, right, bottom as shares of the
grid's width and height, with `classes (B, M)`; both -1 where there is none. A map `(B, 2, 3)` takes places of the new picture, as such shares,
to places of the old one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zhuji.nn.boxes import areas, shared

VISIBLE = 0.3
"""Share of a box that must still be seen; one of which less is left is dropped, for nobody could name it."""


@dataclass(frozen=True)
class Marked:
    """Pictures and what is marked in them; `boxes` and `classes` are None where nothing is."""

    values: Tensor
    boxes: Tensor | None = None
    classes: Tensor | None = None


def without(marked: Marked, values: Tensor, boxes: Tensor, seen: Tensor) -> Marked:
    """With other values and `boxes`, but those of which `seen (B, M)`, a share, is too little, and with them what was none before."""
    assert marked.classes is not None
    stays = (marked.classes >= 0) & (seen >= VISIBLE)
    return Marked(values, torch.where(stays[..., None], boxes, -1.0), torch.where(stays, marked.classes, -1))


def mirrored(marked: Marked, across: Tensor, down: Tensor) -> Marked:
    """`across (B,)`: rows whose left and right change places; `down (B,)`: rows whose top and bottom do."""
    values, boxes = marked.values, marked.boxes
    for chosen, axis in ((across, 2), (down, 1)):
        if chosen.any():
            values = torch.where(chosen[:, None, None, None], values.flip(axis), values)
    if boxes is None:
        return Marked(values)
    left, top, right, bottom = boxes.unbind(-1)
    left, right = (torch.where(across[:, None], a, b) for a, b in ((1 - right, left), (1 - left, right)))
    top, bottom = (torch.where(down[:, None], a, b) for a, b in ((1 - bottom, top), (1 - top, bottom)))
    moved = torch.stack((left, top, right, bottom), -1)
    return without(marked, values, moved, torch.ones_like(moved[..., 0]))


def shifted(marked: Marked, right: Tensor, down: Tensor, mirror: bool = False) -> Marked:
    """Each row moved by so many pixels `(B,)` int64: a crop out of a picture with a margin, of zeros or, with `mirror`, of the picture's own
    reflection in its edge."""
    _, height, width, _ = marked.values.shape
    # What leaves the picture altogether leaves zeros, or the furthest that an edge reflects, however far it goes.
    right, down = right.clamp(-width, width), down.clamp(-height, height)
    values = _crop_of_reflection(marked.values, right, down) if mirror else _crop_of_zeros(marked.values, right, down)
    if marked.boxes is None:
        return Marked(values)
    step = torch.stack((right / width, down / height) * 2, -1)
    return _cut(marked, values, marked.boxes + step[:, None])


def _crop_of_zeros(values: Tensor, right: Tensor, down: Tensor) -> Tensor:
    _, height, width, _ = values.shape
    moved = torch.zeros_like(values)
    # Copying what stays, row by row, is several times as fast as gathering it by index.
    for new, old, x, y in zip(moved, values, right.tolist(), down.tolist(), strict=True):
        new[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = old[
            max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)
        ]
    return moved


def _crop_of_reflection(values: Tensor, right: Tensor, down: Tensor) -> Tensor:
    _, height, width, _ = values.shape
    # One pixel less than a side is all that an edge can reflect without repeating itself.
    x, y = min(int(right.abs().amax()), width - 1), min(int(down.abs().amax()), height - 1)
    wide = F.pad(values.movedim(-1, 1), (x, x, y, y), mode="reflect").movedim(1, -1)
    moved = torch.empty_like(values)
    for new, old, left, top in zip(
        moved, wide, (x - right).clamp(0, 2 * x).tolist(), (y - down).clamp(0, 2 * y).tolist(), strict=True
    ):
        new.copy_(old[top : top + height, left : left + width])
    return moved


def mapped(marked: Marked, maps: Tensor) -> Marked:
    """Bilinear; zeros where the old picture had nothing. A box becomes the smallest one around its four corners."""
    rows, height, width, _ = marked.values.shape
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    places = torch.stack((x, y, torch.ones_like(x)), -1).reshape(1, -1, 3) @ maps.transpose(1, 2)
    grid = (2 * places - 1).reshape(rows, height, width, 2)
    values = F.grid_sample(marked.values.permute(0, 3, 1, 2), grid, align_corners=False).permute(0, 2, 3, 1)
    if marked.boxes is None:
        return Marked(values)
    return _cut(marked, values, placed(marked.boxes, maps))


def placed(boxes: Tensor, maps: Tensor) -> Tensor:
    """`(B, M, 4)`: the smallest boxes around where the corners of `boxes` are then, whether in the picture or not."""
    left, top, right, bottom = boxes.unbind(-1)
    corners = torch.stack((left, top, right, top, left, bottom, right, bottom), -1).unflatten(-1, (4, 2))
    back = torch.linalg.inv(maps[:, :, :2].double()).to(boxes.dtype)
    there = (corners - maps[:, None, None, :, 2]) @ back.transpose(1, 2)[:, None]
    return torch.cat((there.amin(2), there.amax(2)), -1)


def _cut(marked: Marked, values: Tensor, boxes: Tensor) -> Marked:
    """What lies outside of the picture is cut off."""
    inside = boxes.clamp(0, 1)
    return without(marked, values, inside, areas(inside) / areas(boxes).clamp_min(1e-12))


def covered(boxes: Tensor, by: Tensor) -> Tensor:
    """`(B, M)`: the share of each box that lies in the one box of its row, `by (B, 4)`."""
    return shared(boxes, by[:, None]) / areas(boxes).clamp_min(1e-12)


def windows(scale: Tensor, ratio: Tensor, where: Tensor) -> Tensor:
    """Maps `(B, 2, 3)` to a part of the picture that has the share `scale (B,)` of its area, of which the width grows by the root of `ratio (B,)`
    as the height shrinks, and that stands at `where (B, 2)` in [0, 1] of the room there is. A share above 1 is a picture that becomes
    smaller, with a margin."""
    sides = torch.stack((scale.sqrt() * ratio.sqrt(), scale.sqrt() / ratio.sqrt()), 1)
    first = where * (1 - sides)
    maps = torch.zeros(len(scale), 2, 3)
    maps[:, 0, 0], maps[:, 1, 1], maps[:, :, 2] = sides[:, 0], sides[:, 1], first
    return maps


def about_the_middle(linear: Tensor, height: int, width: int, move: Tensor | None = None) -> Tensor:
    """Maps from `linear (B, 2, 2)`, which is told in pixels, so that what is turned keeps its shape; `move (B, 2)`: shares by which the picture goes
    right and down."""
    sides = torch.tensor([width, height], dtype=torch.float32)
    told = linear * sides[None, None, :] / sides[None, :, None]
    middle = torch.full((2,), 0.5)
    offset = middle - (told @ middle) if move is None else middle - (told @ (middle + move)[..., None])[..., 0]
    return torch.cat((told, offset[..., None]), -1)


def rectangles(share: Tensor, ratio: Tensor, where: Tensor, height: int, width: int) -> Tensor:
    """Boxes `(B, 4)` of whole pixels, as shares: of the area `share (B,)`, the width times the root of `ratio (B,)`, at `where (B, 2)` of the room."""
    sides = torch.stack((share.sqrt() * ratio.sqrt(), share.sqrt() / ratio.sqrt()), 1).clamp(max=1.0)
    grid = torch.tensor([width, height])
    pixels = (sides * grid).round()
    first = (where * (grid - pixels)).round()
    return torch.cat((first / grid, (first + pixels) / grid), 1)


def inside_of(by: Tensor, height: int, width: int) -> Tensor:
    """`(B, H, W)`: the pixels of the box of each row, `by (B, 4)`."""
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    left, top, right, bottom = (part[:, None] for part in by.unbind(1))
    return ((y > top) & (y < bottom))[:, :, None] & ((x > left) & (x < right))[:, None]
