"""Triplets of an anchor, a row of its class and a row of another, found among the rows of a batch. Shapes: B rows, E width of an embedding,
P triplets of an anchor."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

_FARTHER = 1e-5
"""By so much a negative must be farther than a positive to count as such: equal rows of two classes are equally far, whatever rounding says."""

Mining = Literal["random", "semi_hard", "hard"]


class Triplets(NamedTuple):
    """Distances of an anchor to its positive and its negative, and whether there is such a triplet; each `(B, P)`."""

    positive: Tensor
    negative: Tensor
    valid: Tensor


def distances(embeddings: Tensor, squared: bool) -> Tensor:
    """`(B, E)` of length 1 -> `(B, B)` Euclidean distances, or their squares."""
    square = (2 - 2 * embeddings @ embeddings.T).clamp_min(0)
    # Off zero, where a root has no finite slope.
    return square if squared else square.clamp_min(1e-12).sqrt()


def mined(distance: Tensor, label: Tensor, mining: Mining, draws: Tensor) -> Triplets:
    """Triplets of `distance (B, B)` and `label (B,)`, -1 for rows without a class; `draws (B, B)` in [0, 1) for random ones.

    random: to every pair of a class some negative. semi_hard: the nearest negative that is farther than the positive, or where none is the
    farthest (Schroff et al. 2015, section 3.2). hard: of every anchor the farthest positive and the nearest negative (Hermans et al.
    2017, equation 5).
    """
    known = (label >= 0)[:, None] & (label >= 0)[None, :]
    alike = label[:, None] == label[None, :]
    positive, negative = known & alike, known & ~alike
    positive = positive & ~torch.eye(len(label), dtype=torch.bool, device=label.device)
    if mining == "hard":
        farthest = distance.masked_fill(~positive, -torch.inf).argmax(1, keepdim=True)
        nearest = distance.masked_fill(~negative, torch.inf).argmin(1, keepdim=True)
        valid = positive.any(1, keepdim=True) & negative.any(1, keepdim=True)
        return Triplets(distance.gather(1, farthest), distance.gather(1, nearest), valid)
    choice = _random(negative, draws) if mining == "random" else _semi_hard(distance.detach(), negative)
    return Triplets(distance, distance.gather(1, choice), positive & negative.any(1, keepdim=True))


def _random(negative: Tensor, draws: Tensor) -> Tensor:
    """`(B, B)`: for each pair one of its anchor's negatives."""
    order = negative.logical_not().to(torch.uint8).argsort(dim=1, stable=True)
    return order.gather(1, (draws * negative.sum(1, keepdim=True)).long())


def _semi_hard(distance: Tensor, negative: Tensor) -> Tensor:
    """`(B, B)`: for each pair the nearest farther negative, else the farthest one."""
    far, order = distance.masked_fill(~negative, torch.inf).sort(dim=1)
    place = torch.searchsorted(far, distance.contiguous() + _FARTHER, right=True)
    return order.gather(1, torch.minimum(place, (negative.sum(1, keepdim=True) - 1).clamp_min(0)))
