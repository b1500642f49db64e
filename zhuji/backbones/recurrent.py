"""Recurrent networks: Elman network, GRU and LSTM, in one direction or both."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.core.errors import ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.units import Features
from zhuji.nn.recurrent import Kind, RecurrentLayers


class Recurrent(Backbone):
    """Elman network, GRU or LSTM over the units, in one direction or both."""

    cell: Kind = "lstm"
    width: int = Field(default=64, gt=0)
    """Width of a unit's vector."""
    hidden: int = Field(default=128, gt=0)
    """Width of the state of one direction."""
    layers: int = Field(default=1, gt=0)
    directions: Literal[1, 2] = 2
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Between layers."""

    @property
    def stem_width(self) -> int:
        return self.width

    @property
    def out_width(self) -> int:
        return self.hidden * self.directions

    @property
    def drops(self) -> bool:
        return self.layers > 1 and self.dropout > 0

    def body(self, causal: bool) -> nn.Module:
        if causal and self.directions == 2:
            raise ImpossiblePair(
                first=in_language("the task", "任务"),
                second=self.called(),
                rule=in_language(
                    "a task that must not look ahead needs one direction, not two", "不得看到后文的任务只能用一个方向"
                ),
                advice="--set backbone.directions=1",
            )
        return _Body(self)

    @classmethod
    def example(cls) -> Self:
        return cls(width=5, hidden=4, layers=2, directions=1)


class _Body(nn.Module):
    def __init__(self, recurrent: Recurrent) -> None:
        super().__init__()
        self.layers = RecurrentLayers(
            recurrent.cell,
            recurrent.width,
            recurrent.hidden,
            layers=recurrent.layers,
            directions=recurrent.directions,
            dropout=recurrent.dropout,
        )

    def forward(self, features: Features) -> Features:
        states, mask = features.flat()
        out = self.layers(states, mask)
        return Features(out.view(*features.mask.shape, -1), features.mask)
