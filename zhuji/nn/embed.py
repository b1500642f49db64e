"""From a row's states to its embedding. Shapes: B rows, D width of a state, E width of an embedding."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.heads import Pool, Pooling
from zhuji.nn.layers import linear


class EmbeddingHead(nn.Module):
    """Pooled states, or with `width` two layers above them (Chen et al. 2020, section 2.1)."""

    def __init__(self, dim: int, *, pool: Pool = "mean", width: int | None = None, hidden: int | None = None) -> None:
        super().__init__()
        self.pool = Pooling(pool, dim)
        self.rise = linear(self.pool.width, hidden or self.pool.width) if width else None
        self.fall = linear(hidden or self.pool.width, width) if width else None

    def projected(self, features: Features) -> Tensor:
        """`(B, E)`."""
        state = self.pool(features)
        return state if self.rise is None or self.fall is None else self.fall(F.relu(self.rise(state)))

    def embedding(self, features: Features) -> Tensor:
        """`(B, E)` float32 of length 1."""
        return F.normalize(self.projected(features).float(), dim=-1)
