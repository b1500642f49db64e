"""The small layers that everything is built of, each with the initial weights that we stand for.

linear        Glorot uniform, zero bias (Glorot & Bengio 2010, eq. 16); `gain` below 1 quiets the last layer of a residual branch;
              with `deviation` normal instead, as in BERT (Devlin et al. 2019).
embedding     normal with deviation 1/sqrt(D): a row has length 1 on average, whatever D is.
convolution   Kaiming uniform for rectifiers, zero bias (He et al. 2015, eq. 10).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["relu", "gelu", "silu", "tanh", "sigmoid", "leaky_relu", "elu", "selu", "softplus", "identity"]
Norm = Literal["rms", "layer"]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "identity": lambda x: x,
}


def elementwise(name: Activation) -> Callable[[Tensor], Tensor]:
    """The elementwise function of that name."""
    return _ACTIVATIONS[name]


def linear(inputs: int, outputs: int, *, bias: bool = True, gain: float = 1.0, deviation: float | None = None) -> nn.Linear:
    """A linear layer with Glorot uniform weights (Glorot & Bengio 2010), or normal ones of that `deviation`, and a bias of zero."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    if deviation is None:
        nn.init.xavier_uniform_(layer.weight, gain=gain)
    else:
        nn.init.normal_(layer.weight, std=deviation)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def laid_by_columns(module: nn.Module) -> None:
    """Lay the weights of linear layers in memory as a processor multiplies few rows by them: by a sixth faster for one short text. The
    numbers are the same. Tables that a linear layer shares are read row by row and stay as they are."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    others = (p for part in module.modules() if not isinstance(part, nn.Linear) for p in part.parameters(recurse=False))
    shared = {id(parameter) for parameter in others}
    for layer in layers:
        if id(layer.weight) not in shared:
            layer.weight.data = layer.weight.data.t().contiguous().t()


def embedding(rows: int, dim: int, *, padding: int | None = None, deviation: float | None = None) -> nn.Embedding:
    """A table of `rows` vectors of width `dim`; the row `padding` is zero and stays so. `deviation` of each number: 1/sqrt(dim)."""
    table = nn.Embedding(rows, dim, padding_idx=padding)
    nn.init.normal_(table.weight, std=dim**-0.5 if deviation is None else deviation)
    if padding is not None:
        nn.init.zeros_(table.weight[padding : padding + 1])
    return table


def norm(kind: Norm, dim: int, eps: float | None = None) -> nn.Module:
    """Normalisation of each state by itself: root mean square (Zhang & Sennrich 2019) or layer norm (Ba et al. 2016). `eps`, which keeps
    a state of zeros from a division by zero: 1e-6 for the one, 1e-5 for the other."""
    return nn.RMSNorm(dim, eps=eps or 1e-6) if kind == "rms" else nn.LayerNorm(dim, eps=eps or 1e-5)


def zeroed(states: Tensor, mask: Tensor) -> Tensor:
    """`states (B, *grid, D)` with zeros wherever `mask (B, *grid)` is False, even where they were not finite."""
    return states.masked_fill(mask.logical_not().unsqueeze(-1), 0.0)
