"""What a picture shows, and how it is painted, as a convolutional network sees both (Gatys, Ecker & Bethge 2016).

Shapes: B pictures, C channels of a stage, H and W its plane, K values of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from zhuji.core.units import Features
from zhuji.nn.planes import Plane

_LEAST = 1e-12
"""What a black picture's features are divided by."""


class Taps:
    """Keeps, within a `with` block, the last plane that each of some stages gave: `planes`, each `(B, C, H, W)`, in the order of the stages.

    A layer may rectify in place what it gave; then what is kept is rectified as well, as in the paper."""

    def __init__(self, stages: Sequence[nn.Module]) -> None:
        self.stages = stages
        self._taken: dict[int, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        for number, stage in enumerate(self.stages):
            for module in stage.modules():
                self._handles.append(module.register_forward_hook(self._keeper(number)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    @property
    def planes(self) -> list[Tensor]:
        """Of the stages that gave one; a stage may work on something else."""
        return [self._taken[number] for number in sorted(self._taken)]

    def _keeper(self, number: int) -> Any:
        def keep(module: nn.Module, given: Any, found: Any) -> None:
            if isinstance(found, Plane):
                self._taken[number] = found.states
            elif isinstance(found, Features) and found.states.dim() == 4:
                self._taken[number] = found.states.permute(0, 3, 1, 2)

        return keep


def gram(states: Tensor) -> Tensor:
    """`(B, C, H, W)` -> `(B, C, C)`: how often two channels speak at the same place, the mean over places (equation 3, over the M of equation 4,
    so that pictures of unequal size compare)."""
    flat = states.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def content_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """How far a stage is from that of the content picture (equation 1), as a share of the latter's own size: weights then mean the same to
    every network."""
    return (found - wanted).square().sum() / wanted.square().sum().clamp_min(_LEAST)


def style_loss(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """How far the Gram matrices of some stages are from `wanted` (equations 4 and 5), each as a share of the latter's own size; the stages count
    alike."""
    each = [(gram(f) - w).square().sum() / w.square().sum().clamp_min(_LEAST) for f, w in zip(found, wanted, strict=True)]
    return torch.stack(each).mean()


def roughness(values: Tensor) -> Tensor:
    """Mean squared difference of neighbours in `(B, H, W, K)`, down and across: total variation, squared (Mahendran & Vedaldi 2015, section 3)."""
    down, across = values.diff(dim=1).square(), values.diff(dim=2).square()
    return (down.sum() + across.sum()) / max(1, down.numel() + across.numel())
