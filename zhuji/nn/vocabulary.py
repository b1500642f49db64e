"""From states back to ids, through the same vectors that ids came in by (Press & Wolf 2017).

Shapes: M states of width D, V ids whose vectors have width W.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from zhuji.nn.layers import linear
from zhuji.nn.losses import cross_entropy, soft_cross_entropy

_KEPT = 1 << 25
"""Logits that may be kept for the way back; where there are more, they are computed a second time."""
_CHUNK = 1 << 22
"""Logits at once: about what a processor's caches hold."""
_ROOMIER = 16
"""So many times more on an accelerator."""


class TiedVocabulary(nn.Module):
    """Logits over the ids: the product of states and `table (V, W)`, the stem's vectors.

    `transform`: first a layer, gelu and layer norm, as in BERT (Devlin et al. 2019); without it only widths that differ are brought
    together. `bias`: each id has one.
    """

    def __init__(
        self, dim: int, stem_width: int, num_ids: int, transform: bool = False, bias: bool = False, *, eps: float = 1e-12
    ) -> None:
        super().__init__()
        self.rise = linear(dim, stem_width) if transform or dim != stem_width else None
        self.norm = nn.LayerNorm(stem_width, eps=eps) if transform else None
        self.bias = nn.Parameter(torch.zeros(num_ids)) if bias else None

    def project(self, states: Tensor) -> Tensor:
        """`(..., D)` -> `(..., W)`: what is multiplied with the table."""
        if self.rise is not None:
            states = self.rise(states)
        return states if self.norm is None else self.norm(F.gelu(states))

    def logits(self, states: Tensor, table: Tensor) -> Tensor:
        """`states (..., D)` -> `(..., V)`."""
        return F.linear(self.project(states), table, self.bias)

    def loss(self, states: Tensor, ids: Tensor, table: Tensor, *, smoothing: float = 0.0) -> Tensor:
        """Cross entropy of each of `ids (M,)`, `(M,)` float32; ids below zero cost nothing. However many states there are, the logits
        in memory are bounded: they are made in chunks, which are forgotten and made again on the way back when they are many."""
        projected, room = self.project(states), _ROOMIER if states.is_cuda else 1
        rows = max(1, _CHUNK * room // table.shape[0])
        forgets = torch.is_grad_enabled() and projected.shape[0] * table.shape[0] > _KEPT * room
        losses: list[Tensor] = []  # written so that it can be compiled
        for some, wanted in zip(projected.split(rows), ids.split(rows), strict=True):
            if forgets:
                each = checkpoint(
                    _losses, some, table, self.bias, wanted, smoothing, use_reentrant=False, preserve_rng_state=False
                )
            else:
                each = _losses(some, table, self.bias, wanted, smoothing)
            losses.append(each)
        return torch.cat(losses)

    def best(self, states: Tensor, table: Tensor) -> Tensor:
        """The likeliest id of each state, `(M,)` int64; in chunks as well."""
        rows = max(1, _CHUNK * (_ROOMIER if states.is_cuda else 1) // table.shape[0])
        return torch.cat([self.logits(some, table).argmax(-1) for some in states.split(rows)])


class Said(NamedTuple):
    """What `states (M, D)` say of the ids, through `vocabulary` and `table (V, W)`: not yet multiplied out, so that it takes no memory."""

    states: Tensor
    vocabulary: TiedVocabulary
    table: Tensor


def divergence(mine: Said, theirs: Said, temperature: float) -> Tensor:
    """`(M,)` float32: how far my distributions over the ids are from theirs, which bear no gradient (`losses.soft_cross_entropy`). In
    chunks, which are forgotten and made again as those of the loss are."""
    parts = mine.vocabulary.project(mine.states), theirs.vocabulary.project(theirs.states).detach()
    size, room = mine.table.shape[0], _ROOMIER if mine.states.is_cuda else 1
    rows = max(1, _CHUNK * room // size)
    forgets = torch.is_grad_enabled() and parts[0].shape[0] * size > _KEPT * room
    each: list[Tensor] = []
    for some, others in zip(*(part.split(rows) for part in parts), strict=True):
        given = (some, others, (mine, theirs), temperature)
        each.append(checkpoint(_apart, *given, use_reentrant=False, preserve_rng_state=False) if forgets else _apart(*given))
    return torch.cat(each)


def _apart(mine: Tensor, theirs: Tensor, through: tuple[Said, Said], temperature: float) -> Tensor:
    my, their = through
    with torch.no_grad():
        wanted = F.linear(theirs, their.table, their.vocabulary.bias)
    return soft_cross_entropy(F.linear(mine, my.table, my.vocabulary.bias), wanted, temperature)


def _losses(projected: Tensor, table: Tensor, bias: Tensor | None, ids: Tensor, smoothing: float) -> Tensor:
    return cross_entropy(F.linear(projected, table, bias), ids, smoothing=smoothing)
