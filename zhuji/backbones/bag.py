"""A bag of units: each unit by itself, in no order; the head's pooling makes a row of them (Joulin et al. 2016, Iyyer et al. 2015)."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.layers import linear, zeroed


class Bag(Backbone):
    """`layers` hidden layers over each unit's vector; with none the vectors are handed on as they are."""

    width: int = Field(default=64, gt=0)
    """Width of a unit's vector."""
    layers: int = Field(default=0, ge=0)
    hidden: int = Field(default=128, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On each hidden layer."""
    unit_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a row's units that are left out at each training step (Iyyer et al. 2015, section 3.2)."""

    @property
    def stem_width(self) -> int:
        return self.width

    @property
    def out_width(self) -> int:
        return self.hidden if self.layers else self.width

    @property
    def drops(self) -> bool:
        return self.unit_dropout > 0 or (self.layers > 0 and self.dropout > 0)

    def body(self, causal: bool) -> nn.Module:
        return _Body(self)

    @classmethod
    def example(cls) -> Self:
        return cls(width=6, layers=1, hidden=8)


class _Body(nn.Module):
    def __init__(self, bag: Bag) -> None:
        super().__init__()
        widths = [bag.width] + [bag.hidden] * bag.layers
        self.layers = nn.ModuleList(linear(a, b) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(bag.dropout)
        self.unit_dropout = bag.unit_dropout

    def forward(self, features: Features) -> Features:
        states, mask = features.states, features.mask
        if self.training and self.unit_dropout:
            # A unit that is left out leaves the mask as well, so that no pooling counts it.
            mask = mask & (torch.rand(mask.shape, device=mask.device) >= self.unit_dropout)
        for layer in self.layers:
            states = self.dropout(F.relu(layer(states)))
        return Features(zeroed(states, mask), mask)
