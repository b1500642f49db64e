"""WaveNet (van den Oord et al. 2016): gated convolutions whose dilations double, over samples or whatever else stands in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field
from torch import nn

from zhuji.core.contracts import Backbone
from zhuji.nn.wavenet import DilatedStack, Sizes


class Wavenet(Backbone):
    """Layer i of a cycle looks `2^i` units back, so that a cycle of ten sees 1,024 units, and cycles follow each other (section 2.1). Each layer is a gate with a
    residual and a skip connection (sections 2.3 and 2.4).

    Of a causal one each new unit costs one step of every layer, however long the row (Paine et al. 2016). One that may look ahead has centred windows.
    """

    grids: ClassVar[tuple[int, ...]] = (1,)

    width: int = Field(default=64, gt=0)
    """Residual channels, and the width of a unit's vector."""
    hidden: int | None = Field(default=None, gt=0)
    """Channels of a gate; None: as many as residual ones."""
    skip: int = Field(default=128, gt=0)
    """Channels in which the layers' answers are added."""
    out: int | None = Field(default=None, gt=0)
    """Width of what comes out; None: `width`."""
    window: int = Field(default=2, gt=1, le=64)
    """Units that a layer sees, its dilation apart."""
    layers: int = Field(default=10, gt=0, le=20)
    """Of a cycle: their dilations are 1, 2, 4 … 2^(layers - 1)."""
    cycles: int = Field(default=2, gt=0)

    @property
    def dilations(self) -> tuple[int, ...]:
        return tuple(2**layer for layer in range(self.layers)) * self.cycles

    @property
    def receptive_field(self) -> int:
        """Units on which a state depends, itself included: one for the unit, and `window - 1` dilations of the first convolution and of each layer."""
        return 1 + (self.window - 1) * (1 + sum(self.dilations))

    @property
    def stem_width(self) -> int:
        return self.width

    @property
    def out_width(self) -> int:
        return self.out or self.width

    def body(self, causal: bool) -> nn.Module:
        return DilatedStack(
            Sizes(self.width, self.hidden or self.width, self.skip, self.out_width, self.window, self.dilations), causal
        )

    def stages(self, body: nn.Module) -> Sequence[nn.Module]:
        """The first convolution, each layer, and what follows their sum."""
        assert isinstance(body, DilatedStack)
        return [body.entry, *body.gates, body.exit]

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, hidden=4, skip=16, out=12, layers=2, cycles=1)
