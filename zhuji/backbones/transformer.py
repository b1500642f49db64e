"""Transformer (Vaswani et al. 2017) with pre-norm blocks: an encoder, or with `causal` a decoder."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.core.log import in_language
from zhuji.core.units import Features
from zhuji.nn.attention import allowed
from zhuji.nn.block import TransformerBlock
from zhuji.nn.feedforward import Kind
from zhuji.nn.layers import norm, zeroed
from zhuji.nn.positions import LearnedPositions, Rotary, positions


class Transformer(Backbone):
    """Pre-norm blocks of attention and feed-forward (Vaswani et al. 2017; Xiong et al. 2020 for the place of the norm)."""

    width: int = Field(default=128, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=4, gt=0)
    kv_heads: int | None = Field(default=None, gt=0)
    """Fewer than `heads`: grouped-query attention."""
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers of the feedforward part; defaults to 4 x width, or 8/3 x width for swiglu, which has three."""
    feedforward: Kind = "swiglu"
    norm: Literal["rms", "layer"] = "rms"
    positions: Literal["rotary", "learned", "none"] = "rotary"
    max_positions: int = Field(default=512, gt=0)
    """Learned positions only; units beyond share the last one."""
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(
                in_language(
                    f"must have heads ({self.heads}) that divide its width ({self.width})",
                    f"heads（{self.heads}）必须整除 width（{self.width}）",
                )
            )
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(
                in_language(
                    f"must have kv_heads ({self.kv_heads}) that divide its heads ({self.heads})",
                    f"kv_heads（{self.kv_heads}）必须整除 heads（{self.heads}）",
                )
            )
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError(
                in_language("must have an even width per head for rotary positions", "使用旋转位置时每个头的宽度必须为偶数")
            )
        return self

    @property
    def stem_width(self) -> int:
        return self.width

    @property
    def out_width(self) -> int:
        return self.width

    @property
    def hidden_width(self) -> int:
        if self.hidden is not None:
            return self.hidden
        return 4 * self.width if self.feedforward == "gelu" else -(-8 * self.width // 24) * 8

    def body(self, causal: bool) -> nn.Module:
        return _Body(self, causal)

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, layers=2, heads=2, kv_heads=1, hidden=12, dropout=0.0)


class _Body(nn.Module):
    def __init__(self, transformer: Transformer, causal: bool) -> None:
        super().__init__()
        t = transformer
        self.causal = causal
        self.learned = LearnedPositions(t.max_positions, t.width) if t.positions == "learned" else None
        self.rotary = Rotary(t.width // t.heads) if t.positions == "rotary" else None
        self.dropout = nn.Dropout(t.dropout)
        # What 2 x layers branches add should not outgrow what they add to (Radford et al. 2019, section 2.3).
        gain = (2 * t.layers) ** -0.5
        self.blocks = nn.ModuleList(
            TransformerBlock(
                t.width, t.heads, t.kv_heads, t.hidden_width,
                feedforward=t.feedforward, norms=t.norm, dropout=t.dropout, gain=gain,
            )
            for _ in range(t.layers)
        )  # fmt: skip
        self.norm = norm(t.norm, t.width)

    def forward(self, features: Features) -> Features:
        states, mask = features.flat()
        place = positions(mask)
        if self.learned is not None:
            states = self.learned(states, place)
        angles = None if self.rotary is None else self.rotary.angles(place)
        may_see = allowed(mask, self.causal)
        states = self.dropout(states)
        for block in self.blocks:
            states = block(states, may_see, angles)
        states = zeroed(self.norm(states), mask)
        return Features(states.view(features.states.shape), features.mask)
