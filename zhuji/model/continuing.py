"""Rows of units that a model goes on with, whatever they stand for. Shapes: N rows, T units so far, V ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zhuji.backbones.transformer import Transformer
from zhuji.core.units import Units
from zhuji.model.assembly import Model
from zhuji.nn.cache import CachedBody, Seen
from zhuji.nn.heads import last_real
from zhuji.nn.search import State
from zhuji.tasks.next_unit import NextHead


@dataclass(frozen=True)
class Context(State):
    """Rows so far: `ids (N, T)`, `mask (N, T)`; the cache holds all but nothing where it is None."""

    ids: Tensor
    mask: Tensor
    cache: Seen | None = None

    def select(self, index: Tensor) -> Context:
        cache = None if self.cache is None else self.cache.select(index)
        return Context(self.ids.index_select(0, index), self.mask.index_select(0, index), cache)


class Continuing:
    """How likely each unit is to follow rows that grow. `read`: the ids of each row, at least one; `ends`: those at which a row ends, of which the first stands
    for all."""

    def __init__(self, model: Model, read: Sequence[Sequence[int]], ends: Sequence[int] = ()) -> None:
        self.model, self.ends = model, ends
        end = next(iter(ends), None)
        device = next(model.parameters()).device
        self.window = window_of(model)
        self.never = torch.tensor([id for id in model.modality.spec.reserved if id != end], dtype=torch.long, device=device)
        self.start = torch.tensor([ids[-1] for ids in read], dtype=torch.long, device=device)
        self.context = _padded([ids[:-1] for ids in read], device)

    def step(self, last: Tensor, context: State) -> tuple[Tensor, Context]:
        """Logits `(N, V)` of what follows `last (N,)`. Whoever has a cache reads one unit; beyond the window its newer half is read
        again."""
        assert isinstance(context, Context)
        ids = torch.cat((context.ids, last[:, None]), 1)
        mask = torch.cat((context.mask, torch.ones_like(last[:, None], dtype=torch.bool)), 1)
        full = self.window is not None and ids.shape[1] > self.window
        body, cache = self.model.encoder.body, context.cache
        if cache is not None and not full:
            fresh = Units(mask[:, -1:], ids[:, -1:])
        else:
            ids, mask = _aligned(ids, _newest(mask, self.window // 2) if full and self.window else mask)
            fresh = Units(mask, ids)
            cache = body.cache() if isinstance(body, CachedBody) else None
        features = self.model.encoder.stem(fresh)
        features = body(features, cache) if isinstance(body, CachedBody) else body(features)
        states = features.states[torch.arange(len(last), device=last.device), last_real(features.mask)]
        head = self.model.head
        assert isinstance(head, NextHead)
        logits = head.logits(states, self.model.encoder.table())
        if len(self.ends) > 1:
            # Several ways to end are one event: the first stands for all of them.
            logits = logits.clone()
            logits[:, self.ends[0]] = logits[:, self.ends].logsumexp(-1)
        return logits.index_fill(-1, self.never, -torch.inf), Context(ids, mask, cache)


def window_of(model: Model) -> int | None:
    """How many units the model can look back on; None: no limit."""
    backbone = model.backbone
    return backbone.max_positions if isinstance(backbone, Transformer) and backbone.positions == "learned" else None


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> Context:
    longest = max((len(ids) for ids in rows), default=0)
    lengths = torch.tensor([len(ids) for ids in rows], device=device)
    ids = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in rows], dtype=torch.long, device=device)
    return Context(ids.view(len(rows), longest), torch.arange(longest, device=device) < lengths[:, None])


def _newest(mask: Tensor, count: int) -> Tensor:
    """Only the last `count` real units of each row, the very last in any case."""
    return mask & (mask.flip(1).cumsum(1).flip(1) <= max(1, count))


def _aligned(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Ids and mask with the real units first, and no more places than the longest row needs."""
    order = torch.sort(mask.logical_not().byte(), dim=1, stable=True).indices[:, : int(mask.sum(1).max())]
    return ids.gather(1, order), mask.gather(1, order)
