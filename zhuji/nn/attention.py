"""Scaled dot-product attention: softmax(Q K^T / sqrt(E) + mask) V (Vaswani et al. 2017, eq. 1).

Shapes: B rows, T units, H heads, G key heads (H is a multiple of G), E width of a head, D = H * E width of a state.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.layers import linear
from zhuji.nn.positions import rotate

Angles = tuple[Tensor, Tensor]


def allowed(mask: Tensor, causal: bool) -> Tensor:
    """`mask (B, T)` -> which query may look at which key, `(B, 1, 1 or T, T)` bool.

    Every query may look at something, or its softmax would divide by zero: a row without real units sees all of itself, and
    a causal query sees itself.
    """
    if not causal:
        return (mask | mask.any(1, keepdim=True).logical_not())[:, None, None, :]
    units = mask.shape[1]
    square = torch.ones(units, units, dtype=torch.bool, device=mask.device)
    return ((mask[:, None, :] & square.tril()) | square.tril().triu())[:, None]


class SelfAttention(nn.Module):
    """Multi-head self-attention. Fewer key heads than heads is grouped-query attention (Ainslie et al. 2023): each key head
    serves `heads / kv_heads` query heads."""

    def __init__(self, dim: int, heads: int, kv_heads: int | None = None, *, gain: float = 1.0) -> None:
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads or heads
        assert dim % heads == 0, f"{dim} channels must divide into {heads} heads"
        assert heads % self.kv_heads == 0, f"{heads} heads must divide among {self.kv_heads} key heads"
        self.head_dim = dim // heads
        self.query = linear(dim, dim)
        # A bias on the keys would add the same to every score of a query, which the softmax takes away again.
        self.key = linear(dim, self.kv_heads * self.head_dim, bias=False)
        self.value = linear(dim, self.kv_heads * self.head_dim)
        self.out = linear(dim, dim, gain=gain)

    def forward(self, states: Tensor, may_see: Tensor, angles: Angles | None = None) -> Tensor:
        """`states (B, T, D)`, `may_see` from `allowed`, `angles` from `Rotary.angles` -> `(B, T, D)`."""
        query = self._split(self.query(states), self.heads)
        key = self._split(self.key(states), self.kv_heads)
        value = self._split(self.value(states), self.kv_heads)
        if angles is not None:
            query, key = rotate(query, *angles), rotate(key, *angles)
        shared = self.heads // self.kv_heads
        if shared > 1:
            key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=may_see)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor, heads: int) -> Tensor:
        return states.unflatten(-1, (heads, self.head_dim)).transpose(1, 2)
