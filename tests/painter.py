"""A model that draws, without training: noisy pictures of one colour a class, those of `tests/pictured.py`."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from tests.pictured import COLOURS
from zhuji.backbones.bag import Bag
from zhuji.core.contracts import Encoder
from zhuji.core.units import Wanted
from zhuji.modalities.image import Image
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify

SIDE = 8


class Painter(Classify):
    """Draws `colour + noise`, each of deviation `noise` on a scale from 0 to 1; without classes all alike."""

    draws: ClassVar[bool] = True

    noise: float = 0.1
    conditional: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels if self.conditional else ()

    def drawn(self, encoder: Encoder, head: nn.Module, wanted: Wanted) -> Tensor:
        colours = [COLOURS[name] for name in wanted.labels or ["green"] * len(wanted.seeds)]
        base = torch.tensor(colours, dtype=torch.float32)[:, None, None, :] / 255
        shares = base + self.noise * wanted.noise(SIDE, SIDE, 3)
        return (shares - 0.5) / 0.5


def painter(noise: float = 0.1, *, conditional: bool = True) -> Predictor:
    """Ready to draw; one that is not `conditional` knows no classes."""
    modality = Image(size=(SIDE, SIDE)).normalising((0.5,) * 3, (0.5,) * 3)
    task = Painter(labels=tuple(COLOURS), counts=(1,) * len(COLOURS), rows=len(COLOURS), noise=noise, conditional=conditional)
    return Predictor(assemble(modality, Bag(width=3), task))
