"""What the backbones share that are blocks of attention, one above the other."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from zhuji.core.contracts import Backbone
from zhuji.core.rules import divides


class Blocks(Backbone):
    """`layers` blocks of states of one width, which `heads` heads share among them."""

    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers of the feedforward part; defaults to 4 x width."""
    dropout: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        divides("heads", self.heads, "width", self.width)
        return self

    @property
    def stem_width(self) -> int:
        return self.width

    @property
    def out_width(self) -> int:
        return self.width

    @property
    def hidden_width(self) -> int:
        return self.hidden or 4 * self.width

    @property
    def drops(self) -> bool:
        return self.dropout > 0
