"""Losses that compare the rows of a batch with each other, one number per row, and embeddings of batches too large for one pass.

B rows, E width of an embedding. `first, second (B, E)` have rows of length 1 and row i of both belongs together; `same (B, B)` bool marks
pairs that belong together as well, such as equal rows, which are no negatives. Losses are computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from zhuji.core.units import Units


def infonce(first: Tensor, second: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """`(B,)`: cross entropy of finding a row's other view among the second views, and the reverse, halved (van den Oord et al. 2018;
    symmetric as in Radford et al. 2021, figure 3). `scale` () is 1 / temperature."""
    likeness = (scale * (first.float() @ second.float().T)).masked_fill(same & ~_diagonal(same), -torch.inf)
    own = likeness.diagonal()
    return (likeness.logsumexp(1) + likeness.logsumexp(0)) / 2 - own


def ntxent(first: Tensor, second: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """`(B,)`: the same among the 2B - 1 other views of both kinds, mean over a row's two views (Chen et al. 2020, section 2.1)."""
    views = torch.cat((first, second)).float()
    other = torch.cat((torch.cat((same | _diagonal(same), same & ~_diagonal(same)), 1),
                       torch.cat((same & ~_diagonal(same), same | _diagonal(same)), 1)))  # fmt: skip
    likeness = (scale * (views @ views.T)).masked_fill(other, -torch.inf)
    own = scale * (first.float() * second.float()).sum(1)
    return likeness.logsumexp(1).view(2, -1).mean(0) - own


def pairwise_sigmoid(first: Tensor, second: Tensor, scale: Tensor, bias: Tensor, same: Tensor) -> Tensor:
    """`(B,)`: for every pair by itself whether it belongs together (Zhai et al. 2023, equation 1)."""
    diagonal = _diagonal(same)
    likeness = scale * (first.float() @ second.float().T) + bias
    each = -F.logsigmoid(torch.where(diagonal, likeness, -likeness))
    return each.masked_fill(same & ~diagonal, 0.0).sum(1)


def relations(own: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """`(B,)`: how far a row's likeness to the other rows is from that of the taught vectors `(B, W)`, both as softmax of cosines over the
    temperature: the Kullback-Leibler divergence (Fang et al. 2021, section 3.2, with the batch in place of their queue). A row whose taught
    vector is zero is unknown: it costs nothing, and no row is compared with it."""
    known = taught.any(1)
    apart = _diagonal(own.new_empty(len(own), len(own))) | ~known
    # Not infinity: a row without any other then has two equal distributions.
    least = torch.finfo(torch.float32).min / 4
    mine, theirs = (
        (each @ each.T / temperature).masked_fill(apart, least).log_softmax(1)
        for each in (F.normalize(own.float(), dim=-1), F.normalize(taught.float(), dim=-1))
    )
    return F.kl_div(mine, theirs, reduction="none", log_target=True).sum(1).masked_fill(~known, 0.0)


def _diagonal(square: Tensor) -> Tensor:
    return torch.eye(len(square), dtype=torch.bool, device=square.device)


def rows_of(units: Units, rows: slice) -> Units:
    """Those rows of a batch."""
    cut = {f.name: None if (t := getattr(units, f.name)) is None else t[rows] for f in fields(units)}
    return replace(units, **cut)


def in_chunks(encode: Callable[[slice], tuple[Tensor, ...]], rows: int, chunk: int | None) -> tuple[Tensor, ...]:
    """What `encode` makes of all rows, `chunk` at a time. On the way back each chunk is encoded again, so that the activations of one
    chunk live at a time, however large the batch that is compared: the gradient is exact (Gao et al. 2021, section 3.3)."""
    if chunk is None or rows <= chunk:
        return encode(slice(0, rows))
    cuts = [slice(start, start + chunk) for start in range(0, rows, chunk)]
    again: Callable[..., Any] = checkpoint if torch.is_grad_enabled() else _once
    parts = [again(encode, cut, use_reentrant=False) for cut in cuts]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def _once(encode: Callable[[slice], tuple[Tensor, ...]], cut: slice, use_reentrant: bool) -> tuple[Tensor, ...]:
    return encode(cut)
