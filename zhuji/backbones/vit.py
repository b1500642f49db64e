"""Transformer over the cells of a picture (Dosovitskiy et al. 2021, An Image is Worth 16x16 Words).

Shapes: B rows, H and W the grid of cells (patches), T = H * W, K cells of the fullest row that are there, D width of a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.backbones._blocks import Blocks
from zhuji.core.units import Features
from zhuji.nn.attention import allowed, biases
from zhuji.nn.block import TransformerBlock, stacked
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import norm, zeroed
from zhuji.nn.positions import LearnedPlaces, sinusoids
from zhuji.nn.shortened import Shortened, shortened

_Side = Annotated[int, Field(gt=0, le=4096)]
_DEVIATION = 0.02


class Vit(Blocks):
    """Pre-norm blocks of attention and feedforward with layer norm and GELU; every cell knows its row and column.

    Only cells that are there are computed: those that a task hides, or that pad a picture, cost nothing (He et al. 2022, section 3). What a
    task tells of the row is added to every cell.
    """

    can_be_causal: ClassVar[bool] = False
    grids: ClassVar[tuple[int, ...]] = (2,)
    takes: ClassVar[bool] = True

    width: int = Field(default=192, gt=0)
    layers: int = Field(default=12, gt=0)
    heads: int = Field(default=3, gt=0)
    positions: Literal["learned", "sinusoids", "none"] = "learned"
    """learned: a vector for each cell of `grid`; sinusoids: of row and column, for grids of any size."""
    grid: tuple[_Side, _Side] = (14, 14)
    """Rows and columns of the table of learned positions: of a picture's patches. Cells beyond share those of the edge."""
    summary: bool = True
    """A learned state beside the cells that looks at all of them (the class token), for `task.pool=summary`."""
    norm_eps: float = Field(default=1e-6, gt=0)
    """Added to what the norm divides by."""
    key_bias: bool = False
    """A bias on the keys, which changes no answer; models that were trained elsewhere have one."""
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @property
    def summarises(self) -> bool:
        return self.summary

    def body(self, causal: bool) -> nn.Module:
        assert not causal
        return _Body(self)

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """What is done before the blocks, then each block, the last with the norm that follows it."""
        assert isinstance(body, _Body)
        *blocks, last = body.blocks
        return [body.entry, *blocks, nn.ModuleList((last, body.norm))]

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, layers=2, heads=2, hidden=12, grid=(2, 2))


class _Entry(nn.Module):
    """What cells and their summary are before the blocks: `places`, added to the cells; `summary (D,)`."""

    def __init__(self, vit: Vit) -> None:
        super().__init__()
        self.sinusoids = vit.positions == "sinusoids"
        self.places = LearnedPlaces(*vit.grid, vit.width, _DEVIATION) if vit.positions == "learned" else None
        self.summary = nn.Parameter(torch.randn(vit.width) * _DEVIATION) if vit.summary else None

    def forward(self, states: Tensor) -> Tensor:
        """`(B, H, W, D)` -> `(B, H, W, D)`."""
        if self.sinusoids:
            return states + sinusoids(states.shape[1:3], states.shape[-1]).to(states.device)
        return states if self.places is None else self.places(states)


class _Body(nn.Module):
    def __init__(self, vit: Vit) -> None:
        super().__init__()
        self.entry = _Entry(vit)
        self.dropout = Dropout(vit.dropout)
        self.blocks = stacked(vit.layers, lambda gain: TransformerBlock(
            vit.width, vit.heads, None, vit.hidden_width, feedforward="gelu", norms="layer", eps=vit.norm_eps,
            dropout=vit.dropout, key_bias=vit.key_bias, gain=gain,
        ))  # fmt: skip
        self.norm = norm("layer", vit.width, vit.norm_eps)

    def forward(self, features: Features) -> Features:
        states, mask = self.entry(features.states).flatten(1, 2), features.mask.flatten(1)
        if features.given is not None:
            states = states + features.given.unsqueeze(1)
        recorded = torch.compiler.is_exporting()
        short = None if recorded else shortened(mask)
        real = mask if recorded else None if short is None else short.mask
        states = self._through(states if short is None else short.take(states), real)
        summary = None
        if self.entry.summary is not None:
            summary, states = states[:, 0], states[:, 1:]
        states = _whole(states, mask, short, recorded=recorded)
        return Features(states.view(*features.mask.shape, -1), features.mask, features.segments, summary)

    def _through(self, states: Tensor, real: Tensor | None) -> Tensor:
        """`(B, K, D)` and which of it is real (None: all of it) through the blocks; with the summary before it."""
        if self.entry.summary is not None:
            first = self.entry.summary.to(states.dtype).expand(states.shape[0], 1, -1)
            states = torch.cat((first, states), 1)
            real = real if real is None else torch.cat((torch.ones_like(real[:, :1]), real), 1)
        may_see = None if real is None else biases(allowed(real, False))
        states = self.dropout(states)
        for block in self.blocks:
            states = block(states, may_see)
        return self.norm(states)


def _whole(states: Tensor, mask: Tensor, short: Shortened | None, *, recorded: bool) -> Tensor:
    """`(B, T, D)`, zero at padding."""
    if short is not None:
        return short.put(states)
    return zeroed(states, mask) if recorded else states
