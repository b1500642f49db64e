"""Decoders: what has been written so far, and a memory of what was read, to states from which the next unit is told.

Shapes: B rows, T units written, S units of the memory, M width of the memory, D width of the decoder, H heads, E width of a head,
N rows or hypotheses that are written one unit at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, cast

import torch
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.attention import SelfAttention, allowed, attend
from zhuji.nn.cache import LayerCache
from zhuji.nn.dropout import Dropout
from zhuji.nn.feedforward import FeedForward, Kind
from zhuji.nn.layers import linear, norm
from zhuji.nn.positions import LearnedPositions, Rotary
from zhuji.nn.recurrent import initialised

Positions = Literal["rotary", "learned"]
Keys = tuple[Tensor, Tensor]
"""Keys and values of a memory, each `(B, H, S, E)`."""


@dataclass(frozen=True)
class Written:
    """What a decoder remembers between units. `rows (N,)`: the row of the memory that each hypothesis reads; `read`: tensors by row,
    which are copied only when rows change places; `own`: what differs between hypotheses of one row."""

    rows: Tensor
    read: Sequence[Tensor]
    units: int = 0
    caches: Sequence[LayerCache] = ()
    own: Sequence[Tensor] = ()

    def select(self, index: Tensor) -> Self:
        """These hypotheses in this order; one may come more than once. This state stays as it is."""
        rows = self.rows[index]
        read = self.read if torch.equal(rows, self.rows) else [part.index_select(0, index) for part in self.read]
        caches, own = [cache.select(index) for cache in self.caches], [part.index_select(0, index) for part in self.own]
        return replace(self, rows=rows, read=read, caches=caches, own=own)


class Decoder(nn.Module, ABC):
    """All units at once while it learns (`forward`), one at a time while it writes (`begin`, `step`); both give the same states."""

    @abstractmethod
    def forward(self, states: Tensor, memory: Features) -> Tensor:
        """`(B, T, D)` -> `(B, T, D)`; unit i sees units <= i and all of its row's memory."""

    @abstractmethod
    def begin(self, memory: Features) -> Written:
        """Nothing is written yet."""

    @abstractmethod
    def step(self, states: Tensor, so_far: Written) -> tuple[Tensor, Written]:
        """The newest units `(N, D)` -> their states `(N, D)`, and what is remembered then."""


class CrossAttention(nn.Module):
    """Attention whose keys and values come from a memory (Vaswani et al. 2017, section 3.2.3)."""

    def __init__(self, dim: int, memory_dim: int, heads: int, *, gain: float = 1.0) -> None:
        super().__init__()
        assert dim % heads == 0, f"{dim} channels must divide into {heads} heads"
        self.heads = heads
        self.query = linear(dim, dim)
        self.key = linear(memory_dim, dim, bias=False)
        self.value = linear(memory_dim, dim)
        self.out = linear(dim, dim, gain=gain)

    def keys(self, memory: Tensor) -> Keys:
        """`(B, S, M)` -> what `forward` reads; computed once, however many units are written."""
        return self._split(self.key(memory)), self._split(self.value(memory))

    def forward(self, states: Tensor, keys: Keys, may_see: Tensor) -> Tensor:
        """`states (B, T, D)`, `may_see (B, 1, 1, S)` -> `(B, T, D)`."""
        mixed = attend(self._split(self.query(states)), *keys, may_see)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class DecoderBlock(nn.Module):
    """Pre-norm (Xiong et al. 2020): attention to what is written, attention to the memory, feedforward."""

    def __init__(
        self, dim: int, memory_dim: int, heads: int, hidden: int, *, feedforward: Kind, dropout: float, gain: float
    ) -> None:
        super().__init__()
        self.written_norm, self.written = norm("rms", dim), SelfAttention(dim, heads, gain=gain)
        self.memory_norm, self.memory = norm("rms", dim), CrossAttention(dim, memory_dim, heads, gain=gain)
        self.feedforward_norm, self.feedforward = norm("rms", dim), FeedForward(dim, hidden, feedforward, gain=gain)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        states: Tensor,
        written: tuple[Tensor, Any],
        keys: Keys,
        may_see: Tensor,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """`written`: which units may be seen, and the angles of rotary positions or None."""
        states = states + self.dropout(self.written(self.written_norm(states), *written, cache))
        states = states + self.dropout(self.memory(self.memory_norm(states), keys, may_see))
        return states + self.dropout(self.feedforward(self.feedforward_norm(states)))


class TransformerDecoder(Decoder):
    """The decoder of Vaswani et al. 2017, section 3.1, with pre-norm blocks."""

    def __init__(
        self,
        dim: int,
        memory_dim: int,
        *,
        layers: int,
        heads: int,
        hidden: int,
        feedforward: Kind = "swiglu",
        positions: Positions = "rotary",
        max_positions: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.rotary = Rotary(dim // heads) if positions == "rotary" else None
        self.learned = LearnedPositions(max_positions, dim) if positions == "learned" else None
        self.dropout = Dropout(dropout)
        gain = (3 * layers) ** -0.5
        self.blocks = nn.ModuleList(
            DecoderBlock(dim, memory_dim, heads, hidden, feedforward=feedforward, dropout=dropout, gain=gain)
            for _ in range(layers)
        )
        self.norm = norm("rms", dim)

    def forward(self, states: Tensor, memory: Features) -> Tensor:
        read, mask = memory.flat()
        states, angles = self._placed(states, 0)
        written = allowed(torch.ones(1, states.shape[1], dtype=torch.bool, device=states.device), causal=True), angles
        may_see = allowed(mask, causal=False)
        for block in self._blocks:
            states = block(states, written, block.memory.keys(read), may_see)
        return self.norm(states)

    def begin(self, memory: Features) -> Written:
        read, mask = memory.flat()
        keys = [part for block in self._blocks for part in block.memory.keys(read)]
        rows = torch.arange(len(mask), device=mask.device)
        return Written(rows, [allowed(mask, causal=False), *keys], caches=[LayerCache() for _ in self.blocks])

    def step(self, states: Tensor, so_far: Written) -> tuple[Tensor, Written]:
        states, angles = self._placed(states[:, None], so_far.units)
        may_see, *keys = so_far.read
        seen = torch.ones(1, 1, 1, so_far.units + 1, dtype=torch.bool, device=states.device)
        caches = [LayerCache(cache.key, cache.value) for cache in so_far.caches]
        for place, (block, cache) in enumerate(zip(self._blocks, caches, strict=True)):
            states = block(states, (seen, angles), (keys[2 * place], keys[2 * place + 1]), may_see, cache)
        return self.norm(states)[:, 0], replace(so_far, units=so_far.units + 1, caches=caches)

    def _placed(self, states: Tensor, first: int) -> tuple[Tensor, Any]:
        place = torch.arange(first, first + states.shape[1], device=states.device)[None]
        if self.learned is not None:
            states = self.learned(states, place)
        return self.dropout(states), None if self.rotary is None else self.rotary.angles(place)

    @property
    def _blocks(self) -> list[DecoderBlock]:
        return cast(list[DecoderBlock], list(self.blocks))


class LstmDecoder(Decoder):
    """An LSTM whose outputs attend to the memory: scores h W m, then tanh of a layer on context and output (Luong et al. 2015, section 3.1,
    general). It begins from the mean of the memory."""

    def __init__(self, dim: int, memory_dim: int, *, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.cells = nn.ModuleList(initialised(nn.LSTM(dim, dim, batch_first=True)) for _ in range(layers))
        self.first = linear(memory_dim, layers * dim)
        self.score = linear(memory_dim, dim, bias=False)
        self.value = linear(memory_dim, dim, bias=False)
        self.mix = linear(2 * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, memory: Features) -> Tensor:
        return self._run(states, self.begin(memory))[0]

    def begin(self, memory: Features) -> Written:
        read, mask = memory.flat()
        weight = mask.to(read.dtype) / mask.sum(1, keepdim=True).clamp_min(1)
        hidden = self.first((weight[:, None] @ read)[:, 0]).tanh().unflatten(-1, (len(self.cells), -1))
        rows = torch.arange(len(mask), device=mask.device)
        return Written(
            rows, [allowed(mask, False)[:, 0], self.score(read), self.value(read)], own=[hidden, torch.zeros_like(hidden)]
        )

    def step(self, states: Tensor, so_far: Written) -> tuple[Tensor, Written]:
        states, so_far = self._run(states[:, None], so_far)
        return states[:, 0], so_far

    def _run(self, states: Tensor, so_far: Written) -> tuple[Tensor, Written]:
        (may_see, keys, values), (hidden, cell) = so_far.read, so_far.own
        ends = list[tuple[Tensor, Tensor]]()
        states = self.dropout(states)
        for layer, lstm in enumerate(self.cells):
            before = hidden[:, layer].contiguous()[None], cell[:, layer].contiguous()[None]
            states, after = lstm(self.dropout(states) if layer else states, before)
            ends.append(after)
        scores = (states @ keys.transpose(1, 2)).masked_fill(may_see.logical_not(), -torch.inf)
        context = scores.softmax(-1) @ values
        mixed = self.mix(torch.cat((context, states), -1)).tanh()
        own = [torch.stack([end[part][0] for end in ends], 1) for part in (0, 1)]
        return self.dropout(mixed), replace(so_far, units=so_far.units + states.shape[1], own=own)
