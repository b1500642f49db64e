"""From a row's states to an answer. Shapes: B rows, N units of the flattened grid, D width of a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.layers import Activation, elementwise, linear

Pool = Literal["mean", "max", "mean_max", "first", "last", "ends", "attention", "summary"]


def first_real(mask: Tensor) -> Tensor:
    """`mask (B, N)` -> `(B,)` int64: index of the first real unit, 0 where there is none."""
    return mask.to(torch.uint8).argmax(1)


def last_real(mask: Tensor) -> Tensor:
    """`mask (B, N)` -> `(B,)` int64: index of the last real unit, N - 1 where there is none."""
    return mask.shape[1] - 1 - mask.flip(1).to(torch.uint8).argmax(1)


def one_of(kind: Pool) -> Callable[[Tensor], Tensor] | None:
    """Which unit's state is all that this pooling reads of a row; None where it reads more."""
    return {"first": first_real, "last": last_real}.get(kind)


def _at(states: Tensor, index: Tensor) -> Tensor:
    return states.gather(1, index[:, None, None].expand(-1, 1, states.shape[-1])).squeeze(1)


def _highest(states: Tensor, padding: Tensor) -> Tensor:
    return states.masked_fill(padding, -torch.inf).amax(1)


class Pooling(nn.Module):
    """The states of a row as one: `Features` -> `(B, width)`; only real units count, and a row without any gives zeros.

    mean, max; mean_max: both, side by side (the only one whose `width` is 2D); first, last: the state of that real unit; ends: the first half of the channels at the last real unit and the
    second half at the first, which is where the two directions of a recurrent network end; attention: a mean weighted by a
    learned query (Yang et al. 2016, section 2.2, without the hidden layer); summary: what the backbone keeps for the row as a whole.
    """

    def __init__(self, kind: Pool, dim: int) -> None:
        super().__init__()
        assert kind != "ends" or dim % 2 == 0, "`ends` halves the channels"
        self.kind: Pool = kind
        self.width = 2 * dim if kind == "mean_max" else dim
        self.query = linear(dim, 1, bias=False) if kind == "attention" else None

    def forward(self, features: Features) -> Tensor:
        states, mask = features.flat()
        padding = mask.logical_not().unsqueeze(-1)
        pooled = features.summary if self.kind == "summary" else self._pooled(states, mask, padding)
        assert pooled is not None, "this backbone keeps no summary"
        return pooled.masked_fill(padding.all(1), 0.0)

    def _pooled(self, states: Tensor, mask: Tensor, padding: Tensor) -> Tensor:
        if self.kind == "max":
            return _highest(states, padding)
        if self.kind == "mean_max":
            return torch.cat((self._mean(states, padding), _highest(states, padding)), dim=-1)
        if self.kind == "first":
            return _at(states, first_real(mask))
        if self.kind == "last":
            return _at(states, last_real(mask))
        if self.kind == "ends":
            ahead, back = states.chunk(2, dim=-1)
            return torch.cat((_at(ahead, last_real(mask)), _at(back, first_real(mask))), dim=-1)
        return self._mean(states, padding)

    def _mean(self, states: Tensor, padding: Tensor) -> Tensor:
        return (self._weights(states, padding).transpose(1, 2) @ states).squeeze(1)

    def _weights(self, states: Tensor, padding: Tensor) -> Tensor:
        """`(B, N, 1)`, summing to 1 over the real units."""
        if self.query is None:
            return padding.logical_not() / padding.logical_not().sum(1, keepdim=True).clamp_min(1).to(states.dtype)
        lowest = torch.finfo(states.dtype).min
        return self.query(states).masked_fill(padding, lowest).softmax(1)


class PooledHead(nn.Module):
    """`Features` -> `(B, out)`: pool, then one linear layer, or two with `hidden` channels and an activation between. `unit_length`: the
    pooled state is scaled to length 1 first."""

    def __init__(
        self,
        dim: int,
        out: int,
        *,
        pool: Pool = "mean",
        hidden: int | None = None,
        activation: Activation = "relu",
        dropout: float = 0.0,
        unit_length: bool = False,
    ) -> None:
        super().__init__()
        self.pool = Pooling(pool, dim)
        self.unit_length = unit_length
        self.rise = linear(self.pool.width, hidden) if hidden else None
        self.activation: Activation = activation
        self.dropout = nn.Dropout(dropout)
        self.out = linear(hidden or self.pool.width, out)

    def forward(self, features: Features) -> Tensor:
        state = self.pool(features)
        if self.unit_length:
            state = F.normalize(state, dim=-1)
        if self.rise is not None:
            state = elementwise(self.activation)(self.rise(state))
        return self.out(self.dropout(state))


class PerUnitHead(nn.Module):
    """`Features` -> `(B, *grid, out)`: one linear layer for every unit."""

    def __init__(self, dim: int, out: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = linear(dim, out)

    def forward(self, features: Features) -> Tensor:
        return self.out(self.dropout(features.states))
