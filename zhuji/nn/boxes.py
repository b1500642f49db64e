"""Boxes as tensors `(…, 4)`: left, top, right, bottom, in any unit that both sides of a comparison share. A box whose right is not beyond its
left, or its bottom not beyond its top, has no area.

Shapes: B rows, N and M boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor

WHOLE_MATRIX = 1024
"""Boxes up to which all pairs are compared at once when overlapping ones are sorted out; of more, each kept box with the rest."""


def centred(boxes: Tensor) -> Tensor:
    """`(…, 4)`: middle x, middle y, width, height."""
    left, top, right, bottom = boxes.unbind(-1)
    return torch.stack(((left + right) / 2, (top + bottom) / 2, right - left, bottom - top), -1)


def cornered(boxes: Tensor) -> Tensor:
    """`(…, 4)`: left, top, right, bottom; the inverse of `centred`."""
    x, y, width, height = boxes.unbind(-1)
    return torch.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2), -1)


def areas(boxes: Tensor) -> Tensor:
    """`(…)`."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp_min(0)
    return sides[..., 0] * sides[..., 1]


def shared(one: Tensor, other: Tensor) -> Tensor:
    """`(…)`: the area that two boxes share; both broadcast against each other."""
    sides = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp_min(0)
    return sides[..., 0] * sides[..., 1]


def iou(one: Tensor, other: Tensor) -> Tensor:
    """`(…)`: the shared area over that of both together; 0 where neither has any. Both broadcast: `iou(a[:, None], b)` is a matrix."""
    common = shared(one, other)
    union = areas(one) + areas(other) - common
    return common / union.clamp_min(torch.finfo(union.dtype).tiny)


def giou(one: Tensor, other: Tensor) -> Tensor:
    """`(…)` in [-1, 1]: IoU, less the share of the smallest box around both that neither fills (Rezatofighi et al. 2019, algorithm 1). It has
    a slope where boxes are apart, too."""
    common = shared(one, other)
    union = areas(one) + areas(other) - common
    sides = (torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])).clamp_min(0)
    around, tiny = sides[..., 0] * sides[..., 1], torch.finfo(union.dtype).tiny
    return common / union.clamp_min(tiny) - (around - union) / around.clamp_min(tiny)


def giou_loss(guess: Tensor, truth: Tensor) -> Tensor:
    """`(…)` in [0, 2]: 1 - GIoU (Rezatofighi et al. 2019, equation 2)."""
    return 1 - giou(guess.float(), truth.float())


def kept(boxes: Tensor, scores: Tensor, classes: Tensor, overlap: float) -> Tensor:
    """`(B, N)` bool: which of `boxes (B, N, 4)` stay when, from the highest of `scores (B, N)` down, each one that stays puts out those of its
    own class in `classes (B, N)` whose IoU with it is above `overlap`. Of equal scores the first comes first. A score that is not above
    zero never stays, and puts nothing out.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    ranked, kinds = boxes.gather(1, order[..., None].expand(-1, -1, 4)), classes.gather(1, order)
    alive = scores.gather(1, order) > 0
    greedy = _by_matrix if boxes.shape[1] <= WHOLE_MATRIX else _one_by_one
    return torch.zeros_like(alive).scatter(1, order, greedy(ranked, kinds, alive, overlap))


def _by_matrix(boxes: Tensor, kinds: Tensor, alive: Tensor, overlap: float) -> Tensor:
    """A box stays if none that stays stands before it and puts it out. Only earlier ones count, so whatever one begins with, after k rounds the
    first k are right, and when a round changes nothing all are."""
    same = kinds[:, :, None] == kinds[:, None, :]
    earlier = torch.ones(boxes.shape[1], boxes.shape[1], dtype=torch.bool, device=boxes.device).triu(1)
    # (B, N, N): whether the first would put out the second.
    puts_out = (iou(boxes[:, :, None], boxes[:, None]) > overlap) & same & earlier
    stays = alive
    while True:
        after = alive & ~(puts_out & stays[:, :, None]).any(1)
        if torch.equal(after, stays):
            return stays
        stays = after


def _one_by_one(boxes: Tensor, kinds: Tensor, alive: Tensor, overlap: float) -> Tensor:
    stays = alive.clone()
    for row in range(len(boxes)):
        left = alive[row].nonzero()[:, 0]
        stays[row] = False
        while len(left):
            first, rest = left[0], left[1:]
            stays[row, first] = True
            out = (iou(boxes[row, first], boxes[row, rest]) > overlap) & (kinds[row, rest] == kinds[row, first])
            left = rest[~out]
    return stays
