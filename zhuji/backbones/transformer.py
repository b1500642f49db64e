"""Transformer (Vaswani et al. 2017): an encoder, or with `causal` a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.backbones._blocks import Blocks
from zhuji.core.contracts import One
from zhuji.core.rules import divides, even_heads
from zhuji.core.units import Features
from zhuji.nn.asked import asked
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import Place, TransformerBlock, stacked
from zhuji.nn.cache import Cache, CachedBody, Seen
from zhuji.nn.dropout import Dropout
from zhuji.nn.feedforward import Kind
from zhuji.nn.layers import Norm, embedding, norm, zeroed
from zhuji.nn.positions import LearnedPositions, Rotary, positions
from zhuji.nn.spans import arranged, put_back, spans
from zhuji.nn.unpadded import Unpadded, unpadded

_BERT = 0.02
"""Deviation of the initial weights of a post-norm model (Devlin et al. 2019)."""


class Transformer(Blocks):
    """Blocks of attention and feedforward. As it stands a pre-norm model with rotary positions; its options also make it BERT, RoBERTa,
    DistilBERT, GPT-2 or Llama, number for number.

    Documents packed into one row do not see each other, and positions begin anew in each.
    """

    packs: ClassVar[bool] = True
    unpads: ClassVar[bool] = True
    narrows: ClassVar[bool] = True

    width: int = Field(default=128, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=4, gt=0)
    kv_heads: int | None = Field(default=None, gt=0)
    """Fewer than `heads`: grouped-query attention."""
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers of the feedforward part; defaults to 4 x width, or 8/3 x width for swiglu, which has three."""
    feedforward: Kind = "swiglu"
    norm: Norm = "rms"
    norm_eps: float | None = Field(default=None, gt=0)
    """Added to what the norm divides by; defaults to 1e-6 for rms and 1e-5 for layer."""
    norm_place: Place = "pre"
    """pre: before each branch and once at the end; post: on the embeddings and after each branch, as in BERT."""
    positions: Literal["rotary", "learned", "none"] = "rotary"
    rotary_base: float = Field(default=10_000.0, gt=1)
    max_positions: int = Field(default=512, gt=0)
    """Learned positions only; units beyond share the last one."""
    segment_types: int = Field(default=0, ge=0)
    """Rows of a table of token types as in BERT; every unit is of the first."""
    bias: bool = True
    key_bias: bool = False
    """A bias on the keys, which changes no answer; models that were trained elsewhere may have one."""
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_share(self) -> Self:
        divides("kv_heads", self.kv_heads or self.heads, "heads", self.heads)
        if self.positions == "rotary":
            even_heads(self.width, self.heads)
        return self

    @property
    def hidden_width(self) -> int:
        if self.hidden is not None:
            return self.hidden
        return -(-8 * self.width // 24) * 8 if self.feedforward == "swiglu" else 4 * self.width

    def body(self, causal: bool) -> nn.Module:
        return _Body(self, causal)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """What is done before the blocks, then each block, the last with the norm that follows it."""
        assert isinstance(body, _Body)
        entry = nn.ModuleList(part for part in (body.learned, body.types, body.entry_norm) if part is not None)
        *blocks, last = body.blocks
        return [entry, *blocks, last if body.norm is None else nn.ModuleList((last, body.norm))]

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, layers=2, heads=2, kv_heads=1, hidden=12, dropout=0.0)


class _Body(CachedBody):
    def __init__(self, transformer: Transformer, causal: bool) -> None:
        super().__init__()
        t = transformer
        self.causal, self.head_dim = causal, t.width // t.heads
        post = t.norm_place == "post"
        # Under a norm their share of the sum is what counts: as in BERT they begin as loud as the vectors of the stem.
        loudness = t.width**-0.5 if post else _BERT
        self.learned = LearnedPositions(t.max_positions, t.width, loudness) if t.positions == "learned" else None
        self.types = embedding(t.segment_types, t.width, deviation=loudness) if t.segment_types else None
        self.rotary = Rotary(self.head_dim, t.rotary_base) if t.positions == "rotary" else None
        self.entry_norm = norm(t.norm, t.width, t.norm_eps) if post else None
        self.dropout = Dropout(t.dropout)
        self.blocks = stacked(t.layers, lambda gain: TransformerBlock(
            t.width, t.heads, t.kv_heads, t.hidden_width, feedforward=t.feedforward, norms=t.norm, eps=t.norm_eps,
            place=t.norm_place, dropout=t.dropout, bias=t.bias, key_bias=t.key_bias, gain=gain, deviation=_BERT if post else None,
        ))  # fmt: skip
        self.norm = None if post else norm(t.norm, t.width, t.norm_eps)

    def cache(self) -> Cache:
        assert self.causal, "a body that looks ahead cannot go on from what it has seen"
        return Cache(len(self.blocks))

    def forward(self, features: Features, cache: Seen | None = None, one: One | None = None) -> Features:
        assert cache is None or isinstance(cache, Cache)
        states, mask = features.flat()
        segments = None if features.segments is None else features.segments.flatten(1)
        assert cache is None or segments is None, "packed documents are not gone on with"
        known = mask if cache is None else cache.extend(mask)
        seen = known.shape[1] - mask.shape[1]
        # What was seen before is kept as it stood, so whoever goes on reads it by a mask.
        order = spans(states, mask, segments, causal=self.causal, head_dim=self.head_dim) if cache is None else None
        may_see = biases(allowed(known, self.causal, segments, seen=seen)) if order is None else order
        place = arranged(positions(known, segments)[:, seen:], order)
        states = arranged(states, order)
        alone = unpadded(mask, may_see) if cache is None and isinstance(may_see, Tensor) else None
        if alone is not None:
            may_see, place, states = alone, alone.take(place), alone.take(states)
        angles = None if self.rotary is None else self.rotary.angles(place)
        states = self._enter(states, place)
        *blocks, last = self.blocks
        for number, block in enumerate(blocks):
            states = block(states, may_see, angles, None if cache is None else cache.layers[number])
        # Of spans, which have no rows, every unit is computed.
        if one is not None and cache is None and isinstance(may_see, Tensor | Unpadded):
            states = last(states, asked(one(mask), may_see, angles), angles)
            states = states if self.norm is None else self.norm(states)
            real = mask.any(1, keepdim=True)
            return Features(zeroed(states, real), real)
        states = last(states, may_see, angles, None if cache is None else cache.layers[-1])
        states = states if self.norm is None else self.norm(states)
        states = put_back(states, order) if alone is None else alone.whole.put(states)
        states = zeroed(states, mask)
        return Features(states.view(features.states.shape), features.mask, features.segments)

    def _enter(self, states: Tensor, place: Tensor) -> Tensor:
        if self.learned is not None:
            states = self.learned(states, place)
        if self.types is not None:
            states = states + self.types.weight[0]
        return self.dropout(states if self.entry_norm is None else self.entry_norm(states))
