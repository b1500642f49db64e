"""Which places of a detector learn which object.

Shapes: B rows, N places, M objects (filled up; `classes` -1 is none), K classes. Boxes as in `nn.boxes`, in one unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zhuji.nn.boxes import iou

_LEAST = 0.1
"""IoU that counts as none: a tiny object whose places miss it altogether still teaches them something."""


@dataclass(frozen=True)
class Assigned:
    """By place: `object (B, N)` int64, the number of its object, -1 for none, and `quality (B, N)` in [0, 1], the score that it should give;
    0 where there is no object."""

    object: Tensor
    quality: Tensor


@dataclass(frozen=True)
class Objects:
    """The true boxes `(B, M, 4)` of each row and their `classes (B, M)`."""

    boxes: Tensor
    classes: Tensor

    def __len__(self) -> int:
        return self.boxes.shape[1]


@torch.no_grad()
def aligned(
    scores: Tensor, boxes: Tensor, places: Tensor, mask: Tensor, objects: Objects, *, most: int, alpha: float, beta: float
) -> Assigned:
    """Task-aligned assignment (Feng et al. 2021, TOOD, section 3.2): of the places whose middle lies in an object, the `most` whose score for its
    class to the power of `alpha`, times IoU to the power of `beta`, is highest learn it. A place that several objects choose learns the one
    it overlaps most. Should no middle lie in an object, the nearest place learns it.

    `scores (B, N, K)` in [0, 1] and `boxes (B, N, 4)` as they are guessed now; `places (B, N, 4)`, `mask (B, N)`: where there is one.
    """
    if not len(objects):
        return _nothing(mask)
    overlap = iou(objects.boxes[:, :, None], boxes[:, None]).clamp_min(_LEAST)  # (B, M, N)
    kinds = objects.classes.clamp_min(0)
    given = scores.transpose(1, 2).gather(1, kinds[..., None].expand(-1, -1, scores.shape[1])).clamp_min(1e-9)
    near = _near(places, mask, objects)
    fit = given**alpha * overlap**beta * near
    claim = torch.where(_highest(fit, most) & near, overlap, -1.0)
    best, which = claim.max(1)
    mine = (claim >= 0) & (torch.arange(len(objects), device=mask.device)[:, None] == which[:, None])
    # The best place of an object should give its IoU as the score, the others less, by how much less they fit.
    top_fit, top_overlap = (torch.where(mine, part, 0.0).amax(2, keepdim=True) for part in (fit, overlap))
    quality = torch.where(mine, fit / top_fit.clamp_min(1e-30) * top_overlap, 0.0).amax(1)
    return Assigned(torch.where(best >= 0, which, -1), quality)


@torch.no_grad()
def overlapping(places: Tensor, mask: Tensor, objects: Objects, *, least: float) -> Assigned:
    """Default boxes by overlap (Liu et al. 2016, SSD, section 2.2): each learns the object with which its IoU is highest, if that is above
    `least`; and each object has at least the default box that overlaps it most. `places (B, N, 4)`, `mask (B, N)`: where there is one."""
    if not len(objects):
        return _nothing(mask)
    real = (objects.classes >= 0)[..., None] & mask[:, None]
    overlap = torch.where(real, iou(objects.boxes[:, :, None], places[:, None]), -1.0)
    best, which = overlap.max(1)
    known = (overlap.amax(2) >= 0).nonzero()
    first = overlap.argmax(2)
    for row, number in known.tolist():
        which[row, first[row, number]], best[row, first[row, number]] = number, 1.0
    taken = best >= least
    return Assigned(torch.where(taken, which, -1), taken.float())


def _nothing(mask: Tensor) -> Assigned:
    return Assigned(torch.full(mask.shape, -1, device=mask.device), torch.zeros(mask.shape, device=mask.device))


def _near(places: Tensor, mask: Tensor, objects: Objects) -> Tensor:
    """`(B, M, N)`: whether the middle of a place lies in an object; of an object that holds none, whether it is the nearest."""
    middle, truth = ((places[..., :2] + places[..., 2:]) / 2)[:, None], objects.boxes[:, :, None]
    there = mask[:, None] & (objects.classes >= 0)[..., None]
    inside = (torch.maximum(truth[..., :2] - middle, middle - truth[..., 2:]).amax(-1) < 0) & there
    away = ((truth[..., :2] + truth[..., 2:]) / 2 - middle).square().sum(-1).masked_fill(~there, torch.inf)
    nearest = torch.zeros_like(inside).scatter(2, away.argmin(2, keepdim=True), True) & there
    return torch.where(inside.any(2, keepdim=True), inside, nearest)


def _highest(values: Tensor, count: int) -> Tensor:
    """`(B, M, N)` bool: the `count` highest of each object."""
    places = values.topk(min(count, values.shape[2]), dim=2).indices
    return torch.zeros_like(values, dtype=torch.bool).scatter(2, places, True)
