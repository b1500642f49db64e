"""A chain of tags: how well one follows another, learned together with what is seen of each word (linear-chain conditional random field:
Lafferty, McCallum & Pereira 2001; over a network's states: Lample et al. 2016, section 2.2).

Shapes: B rows, W words of a row (the real ones in front), C tags.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.heads import PerUnitHead


class Links(NamedTuple):
    """What is added where a row begins with a tag, `first (C,)`, where one tag follows another, `between (C, C)`, and where a row ends,
    `last (C,)`."""

    first: Tensor
    between: Tensor
    last: Tensor


class CrfHead(nn.Module):
    """`Features` -> `(B, *grid, tags)`, and learned links between the tags; they begin at zero, where a row's tags are independent of each
    other."""

    def __init__(self, dim: int, tags: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.each = PerUnitHead(dim, tags, dropout=dropout)
        self.first, self.last = nn.Parameter(torch.zeros(tags)), nn.Parameter(torch.zeros(tags))
        self.between = nn.Parameter(torch.zeros(tags, tags))

    def forward(self, features: Features) -> Tensor:
        return self.each(features)

    def links(self) -> Links:
        return Links(self.first, self.between, self.last)


def partition(scores: Tensor, real: Tensor, links: Links) -> Tensor:
    """`(B,)`: log of the sum, over all sequences of tags, of exp of a sequence's score, by the forward algorithm; 0 of a row without words.
    A score of -inf forbids a tag; some tag of every word must be allowed. `scores (B, W, C)` float32 or float64, `real (B, W)`."""
    total = (_ahead(scores, real, links)[-1] + links.last).logsumexp(1)
    return total.masked_fill(real[:, 0].logical_not(), 0.0)


def log_likelihood(scores: Tensor, tags: Tensor, real: Tensor, links: Links) -> Tensor:
    """`(B,)`: log-probability of the tags `(B, W)`; over the tags of words whose own is below zero it is summed."""
    own = F.one_hot(tags.clamp_min(0), scores.shape[-1]).bool()
    held = scores.masked_fill((own | (tags < 0).unsqueeze(-1)).logical_not(), -torch.inf)
    # One walk over the words for both sums: its cost is the number of steps.
    both = partition(torch.cat((held, scores)), torch.cat((real, real)), links)
    return both[: len(scores)] - both[len(scores) :]


def marginals(scores: Tensor, real: Tensor, links: Links) -> Tensor:
    """`(B, W, C)`: probability of each tag of each word, given the whole row, by the forward and the backward algorithm; zero where no
    word is."""
    rest = links.last.expand_as(scores[:, 0])
    behind = [rest]
    for place in range(scores.shape[1] - 1, 0, -1):
        step = (links.between + (scores[:, place] + rest).unsqueeze(1)).logsumexp(2)
        rest = torch.where(real[:, place, None], step, rest)
        behind.append(rest)
    chances = (torch.stack(_ahead(scores, real, links), 1) + torch.stack(behind[::-1], 1)).softmax(-1)
    return chances.masked_fill(real.logical_not().unsqueeze(-1), 0.0)


def _ahead(scores: Tensor, real: Tensor, links: Links) -> list[Tensor]:
    """For each word, `(B, C)`: log of the sum over all sequences up to it that end in each tag; beyond a row's end that of its last word."""
    totals = [links.first + scores[:, 0]]
    for place in range(1, scores.shape[1]):
        step = (totals[-1].unsqueeze(2) + links.between).logsumexp(1) + scores[:, place]
        totals.append(torch.where(real[:, place, None], step, totals[-1]))
    return totals
