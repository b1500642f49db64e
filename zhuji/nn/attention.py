"""Scaled dot-product attention: softmax(Q K^T / sqrt(E) + mask) V (Vaswani et al. 2017, eq. 1).

Shapes: B rows, T units, H heads, G key heads (H is a multiple of G), E width of a head, D = H * E width of a state.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.asked import Asked
from zhuji.nn.cache import LayerCache
from zhuji.nn.layers import linear
from zhuji.nn.positions import rotate
from zhuji.nn.spans import Spans
from zhuji.nn.unpadded import Unpadded

Angles = tuple[Tensor, Tensor]
Sight = Tensor | Spans | Unpadded | Asked | None
"""What may be looked at; None: everything. A mask from `allowed`, the same from `biases`, the spans of units that stand in their order, or the rows of units that
stand without their padding, or the one unit of each row that asks."""


def allowed(mask: Tensor, causal: bool, segments: Tensor | None = None, *, seen: int = 0) -> Tensor:
    """`mask (B, T)` -> which query may look at which key, `(B, 1, 1 or T - seen, T)` bool. `segments (B, T)`: units of different
    numbers do not see each other. The first `seen` units are keys only.

    Every query may look at something, or its softmax would divide by zero: a row without real units sees all of itself, and
    where queries differ each sees itself.
    """
    if not causal and segments is None:
        return (mask | mask.any(1, keepdim=True).logical_not())[:, None, None, :]
    units = mask.shape[1]
    square = torch.ones(units - seen, units, dtype=torch.bool, device=mask.device)
    itself = square.tril(seen).triu(seen)
    keys = mask[:, None, :]
    if causal:
        keys = keys & square.tril(seen)
    if segments is not None:
        keys = keys & (segments[:, seen:, None] == segments[:, None, :])
    return (keys | itself)[:, None]


def biases(may_see: Tensor) -> Tensor:
    """What may be looked at as what is added to the scores: 0 or -inf, float32. Made once for all layers, where the processor's
    kernels would make it anew in each; an accelerator's read the bools."""
    if may_see.is_cuda:
        return may_see
    return torch.zeros(may_see.shape, device=may_see.device).masked_fill(may_see.logical_not(), -torch.inf)


def attend(query: Tensor, key: Tensor, value: Tensor, may_see: Sight) -> Tensor:
    """`query (B, H, T, E)`, `key` and `value (B, G, S, E)` -> `(B, H, T, E)`."""
    if isinstance(may_see, Spans):
        return may_see.attend(query, key, value)
    if isinstance(may_see, Asked):
        return attend(query, may_see.keys(key), may_see.keys(value), may_see.sight)
    if isinstance(may_see, Unpadded):
        parts = may_see.parts
        return may_see.units([attend(part.rows(query), part.rows(key), part.rows(value), part.bias) for part in parts])
    shared = query.shape[1] // key.shape[1]
    if shared > 1:
        key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
    scores = query.shape[0] * query.shape[1] * query.shape[2] * key.shape[2]
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and scores <= _WRITTEN_OUT:
        return _written_out(query, key, value, may_see)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=may_see)


_WRITTEN_OUT = 1 << 24
"""Scores that may stand in memory at once. The fused kernel of a processor loses to plain products in bfloat16, to 6 times with short
rows; in float32 they are equal, and it needs no memory."""


def _written_out(query: Tensor, key: Tensor, value: Tensor, may_see: Tensor | None) -> Tensor:
    # 0 and -inf are exact in every precision, and the softmax of a half is computed in float32 inside.
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if may_see is not None and may_see.dtype == torch.bool:
        scores = scores.masked_fill(may_see.logical_not(), -torch.inf)
    elif may_see is not None:
        scores = scores + may_see.to(scores.dtype)
    return scores.softmax(-1) @ value


def _spares_keys(*maps: nn.Module) -> bool:
    """Whether these may be applied to something else than states: only as they were made (without adapters), where nothing is learned, and not in a
    graph, of which every product is to be seen (to be made coarser)."""
    plain = all(type(part) is nn.Linear for part in maps)
    return plain and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()


class SelfAttention(nn.Module):
    """Multi-head self-attention. Fewer key heads than heads is grouped-query attention (Ainslie et al. 2023): each key head
    serves `heads / kv_heads` query heads.

    `key_bias`: a bias on the keys adds the same to every score of a query, which the softmax takes away again; only models that
    were trained elsewhere have one.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        kv_heads: int | None = None,
        *,
        bias: bool = True,
        key_bias: bool = False,
        gain: float = 1.0,
        deviation: float | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads or heads
        assert dim % heads == 0, f"{dim} channels must divide into {heads} heads"
        assert heads % self.kv_heads == 0, f"{heads} heads must divide among {self.kv_heads} key heads"
        self.head_dim = dim // heads
        shared = self.kv_heads * self.head_dim
        self.query = linear(dim, dim, bias=bias, deviation=deviation)
        self.key = linear(dim, shared, bias=key_bias, deviation=deviation)
        self.value = linear(dim, shared, bias=bias, deviation=deviation)
        self.out = linear(dim, dim, bias=bias, gain=gain, deviation=deviation)

    def forward(self, states: Tensor, may_see: Sight, angles: Angles | None = None, cache: LayerCache | None = None) -> Tensor:
        """`states (B, T, D)`, `angles` from `Rotary.angles` -> `(B, T, D)`, or `(B, 1, D)` where one unit of each row asks. With `cache` the
        keys are those of the units before as well."""
        one = may_see if isinstance(may_see, Asked) else None
        query = self._split(self.query(states if one is None else one.of(states)), self.heads)
        if one is not None and angles is None and _spares_keys(self.key, self.value):
            return self.out(self._of_states(query, one.rows_of(states), one.sight))
        key = self._split(self.key(states), self.kv_heads)
        value = self._split(self.value(states), self.kv_heads)
        if angles is not None:
            own = angles if one is None or one.angles is None else one.angles
            query, key = rotate(query, *own), rotate(key, *angles)
        if cache is not None:
            key, value = cache.extend(key, value)
        return self.out(attend(query, key, value, may_see).transpose(1, 2).flatten(2))

    def _of_states(self, query: Tensor, states: Tensor, sight: Tensor) -> Tensor:
        """What `query (B, H, 1, E)` finds in `states (B, T, D)`, `(B, 1, D)`: q (K x) is (q K) x, and the mean of V x is V of the mean of x, so of one query
        there is no need of keys and values. A bias on the keys changes no softmax; that on the values comes through a mean as it is."""
        rows, heads, _, each = query.shape
        shared = heads // self.kv_heads
        keys, values = (
            part.weight.view(self.kv_heads, each, -1).repeat_interleave(shared, 0) for part in (self.key, self.value)
        )
        asking = (query.transpose(0, 1)[:, :, 0] @ keys).transpose(0, 1)[:, :, None]
        every = states[:, None].expand(-1, heads, -1, -1)
        seen = F.scaled_dot_product_attention(asking, every, every, attn_mask=sight, scale=each**-0.5)
        found = (seen[:, :, 0].transpose(0, 1) @ values.transpose(1, 2)).transpose(0, 1)
        if self.value.bias is not None:
            found = found + self.value.bias.view(self.kv_heads, each).repeat_interleave(shared, 0)
        return found.reshape(rows, 1, heads * each)

    def _split(self, states: Tensor, heads: int) -> Tensor:
        return states.unflatten(-1, (heads, self.head_dim)).transpose(1, 2)
