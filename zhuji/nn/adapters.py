"""Low-rank adapters: a linear layer learns a small difference to weights that stay as they are (LoRA, Hu et al. 2022, section 4.1).

Shapes: I inputs and O outputs of a layer, R rank.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class Adapted(nn.Linear):
    """`x (..., I)` -> `x W^T + b + (alpha / R) x A^T B^T`, `(..., O)`. `down` is A `(R, I)`, random; `up` is B `(O, R)`, zero: at first
    the layer answers as the one it was made from, whose weight and bias it shares and whose names it keeps."""

    def __init__(self, layer: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, layer.in_features, device=layer.weight.device))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank, device=layer.weight.device))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, input: Tensor) -> Tensor:
        # One product with the small factors first: the difference itself, O x I, is never made.
        return super().forward(input) + self.scale * F.linear(F.linear(input, self.down), self.up)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain layer with W + (alpha / R) B A."""
        layer = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        # In double precision: the sum is then rounded once.
        change = self.scale * (self.up.double() @ self.down.double())
        layer.weight = nn.Parameter((self.weight.double() + change).to(self.weight.dtype))
        layer.bias = self.bias
        return layer


def adapt(network: nn.Module, targets: Sequence[str], rank: int, alpha: float) -> list[str]:
    """Give an adapter to every linear layer of `network` whose dotted name has one of `targets` among its words (`attention`,
    `feedforward`, `query` …), in place; the names of these layers. Draws from torch's generator."""
    found = [name for name, layer in _linear(network) if set(targets) & set(name.split("."))]
    for name in found:
        _replace(network, name, Adapted(_layer(network, name), rank, alpha))
    return found


def merged(network: M) -> M:
    """The same network without adapters, their differences added to the weights: a copy, or itself where there are none."""
    names = [name for name, module in network.named_modules() if isinstance(module, Adapted)]
    if not names:
        return network
    network = copy.deepcopy(network)
    for name in names:
        layer = network.get_submodule(name)
        assert isinstance(layer, Adapted)
        _replace(network, name, layer.merged())
    return network


def adapter_parameters(network: nn.Module) -> list[nn.Parameter]:
    """A and B of every adapter."""
    layers = [module for module in network.modules() if isinstance(module, Adapted)]
    return [parameter for layer in layers for parameter in (layer.down, layer.up)]


def norm_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Gains and biases of the norms."""
    return [p for module in network.modules() if isinstance(module, nn.LayerNorm | nn.RMSNorm) for p in module.parameters()]


def linear_words(network: nn.Module) -> list[str]:
    """All words in the names of linear layers: what `targets` may be."""
    return sorted({word for name, _ in _linear(network) for word in name.split(".") if not word.isdigit()})


def _linear(network: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in network.named_modules() if type(module) is nn.Linear]


def _layer(network: nn.Module, name: str) -> nn.Linear:
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, layer)
