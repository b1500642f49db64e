"""Pictures inside a convolutional network, where padding cannot reach them.

States lie in memory as features give them, (B, H, W, C), and convolutions see them as (B, C, H, W) ("channels last"): nothing is moved on the
way in or out. Padding is zero before every convolution, as what lies outside of the picture is, so neither ever changes a real state. Only a
norm makes something of nothing, so a norm is told where padding is; a batch without padding has nothing to be told, which is settled once.

Shapes: B rows, C channels, H and W the grid, K rows and columns of a window. A cell of a strided layer stands where its window's first (windows
that do not overlap) or middle unit stood, and is real if that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features


@dataclass(frozen=True)
class Plane:
    """`states (B, C, H, W)`, zero at padding, and where that is: `padding (B, H, W)` bool; None: nowhere."""

    states: Tensor
    padding: Tensor | None

    def with_states(self, states: Tensor) -> Plane:
        """Others on the same grid."""
        return replace(self, states=states)

    def strided(self, states: Tensor, stride: int) -> Plane:
        """What a layer that keeps every `stride`-th row and column made of them."""
        padding = self.padding
        return Plane(states, padding if padding is None or stride == 1 else padding[:, ::stride, ::stride])

    def zeroed(self) -> Plane:
        """With zeros at padding, even where there was nothing finite."""
        if self.padding is None:
            return self
        # Filled as they lie in memory, or torch would lay them out anew.
        units = self.states.permute(0, 2, 3, 1)
        return replace(self, states=units.masked_fill(self.padding.unsqueeze(-1), 0.0).permute(0, 3, 1, 2))


def opened(features: Features) -> Plane:
    """Features as a plane. An accelerator is asked once whether there is padding, which is less than a mask at every layer; a graph that is
    written out must serve any batch."""
    whole = not torch.compiler.is_exporting() and bool(features.mask.all())
    states = features.states.permute(0, 3, 1, 2)
    return Plane(states, None if whole else features.mask.logical_not()).zeroed()


def closed(plane: Plane) -> Features:
    """A plane as features."""
    states = plane.states.permute(0, 2, 3, 1)
    if plane.padding is None:
        return Features(states, torch.ones(states.shape[:3], dtype=torch.bool, device=states.device))
    return Features(states, plane.padding.logical_not())


def convolution(inputs: int, outputs: int, window: int, *, stride: int = 1, groups: int = 1, bias: bool = False) -> nn.Conv2d:
    """`(B, inputs, H, W)` -> `(B, outputs, ceil(H / stride), ceil(W / stride))`: an odd window around each unit that is kept. Weights normal
    for rectifiers, by the outputs they feed (He et al. 2015, section 2.2), zero bias."""
    assert window % 2, "an even window has no middle"
    layer = nn.Conv2d(inputs, outputs, window, stride, padding=window // 2, groups=groups, bias=bias)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Tiles(nn.Module):
    """`(B, C, H, W)` -> `(B, outputs, ceil(H / K), ceil(W / K))`: windows that do not overlap, of which the last are filled up with zeros."""

    def __init__(self, inputs: int, outputs: int, window: int, *, bias: bool = True) -> None:
        super().__init__()
        self.window = window
        self.conv = nn.Conv2d(inputs, outputs, window, window, bias=bias)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="linear")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, plane: Plane) -> Plane:
        rows, columns = (-side % self.window for side in plane.states.shape[-2:])
        states = F.pad(plane.states, (0, columns, 0, rows)) if rows or columns else plane.states
        return plane.strided(self.conv(states), self.window)


class PlaneNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) of a plane: real units alone make the statistics, and padding is zero. A batch with a single
    real unit has no deviation and is normalised as if nothing were learned."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, dim: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, plane: Plane) -> Plane:
        states, padding = plane.states, plane.padding
        if not self.training:
            return plane.with_states(self._normalised(states, False)).zeroed()
        if padding is None:
            return plane.with_states(self._normalised(states, states.numel() > states.shape[1]))
        real = padding.logical_not()
        units = states.permute(0, 2, 3, 1)
        known = units[real]
        known = self._normalised(known, len(known) > 1).to(units.dtype)
        return plane.with_states(torch.zeros_like(units).index_put((real,), known).permute(0, 3, 1, 2))

    def line(self) -> tuple[Tensor, Tensor]:
        """Scale and shift `(C,)` of each channel while nothing is learned."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def _normalised(self, states: Tensor, learning: bool) -> Tensor:
        """Of `(B, C, H, W)`, or of units `(N, C)`."""
        return F.batch_norm(
            states, self.running_mean, self.running_var, self.weight, self.bias, learning, self.momentum, self.eps
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}, momentum={self.momentum}"


def by_unit(plane: Plane, layer: Callable[[Tensor], Tensor]) -> Plane:
    """What a layer makes of the last axis of `(B, H, W, C)`; padding is zero."""
    return plane.with_states(layer(plane.states.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)).zeroed()


def rectified(plane: Plane) -> Plane:
    """max(0, x), in place: what a norm gave is needed by nobody else."""
    return plane.with_states(F.relu(plane.states, inplace=True))


class ConvNorm(nn.Module):
    """A convolution and its batch norm."""

    def __init__(self, inputs: int, outputs: int, window: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv = convolution(inputs, outputs, window, stride=stride)
        self.norm = PlaneNorm(outputs)

    def forward(self, plane: Plane) -> Plane:
        if self.training or torch.is_grad_enabled() or torch.compiler.is_exporting():
            return self.norm(plane.strided(self.conv(plane.states), self.stride))
        # While nothing is learned a norm is a scale and a shift, and those are as well the convolution's.
        scale, shift = self.norm.line()
        weight = self.conv.weight * scale.view(-1, 1, 1, 1)
        states = F.conv2d(plane.states, weight, shift, self.conv.stride, self.conv.padding)
        return plane.strided(states, self.stride).zeroed()


def highest(plane: Plane, window: int, stride: int) -> Plane:
    """The highest of each channel in each window, of states that are not negative; an odd window around each unit that is kept, an even
    one from it on."""
    margin = window // 2 if window % 2 else 0
    states = F.max_pool2d(plane.states, window, stride, margin, ceil_mode=margin == 0)
    return plane.strided(states, stride).zeroed()
