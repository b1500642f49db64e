"""Recurrent layers that read real units only, as fast as padded ones.

Each direction reads its own arrangement of a row: the real units, in reading order, moved to the front, with all padding behind
them. A scan from left to right then never meets padding before it has met every real unit, so nothing needs masking or packing,
and the fused kernels, which know no lengths, do the work. Arranging and putting back are permutations of rows.

Shapes: T units, B rows, D channels in, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zhuji.nn.layers import zeroed

Kind = Literal["rnn", "gru", "lstm"]

_TYPES: dict[Kind, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_CELLS: dict[Kind, Callable[[int, int], nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class _Permute(torch.autograd.Function):
    """Rows of `x (N, D)` in another order. Its gradient is the inverse permutation: a read, where indexing in general would
    add up row by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(order, inverse)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        order, inverse = ctx.saved_tensors
        return _Permute.apply(grad, inverse, order), None, None  # pyright: ignore[reportReturnType]


class Arrangement:
    """Where each unit of `mask (B, T)` goes so that the real ones stand in front, in reading order or in reverse of it."""

    def __init__(self, mask: Tensor) -> None:
        rows, units = mask.shape
        self.shape = (units, rows)
        rank, padding = mask.cumsum(1) - 1, mask.logical_not()
        count = rank[:, -1:] + 1
        behind = count + padding.cumsum(1) - 1
        row = torch.arange(rows, device=mask.device)[:, None]
        front = torch.where(mask, rank, behind)
        back = torch.where(mask, count - 1 - rank, behind)
        self.scatter = [(step * rows + row).flatten() for step in (front, back)]
        """For each direction: flat place (t * B + b) of the flat unit (b * T + t)."""
        places = torch.arange(rows * units, device=mask.device)
        self.gather = [torch.empty_like(to).scatter_(0, to, places) for to in self.scatter]

    def arranged(self, states: Tensor, direction: int) -> Tensor:
        """`(B, T, D)` -> `(T, B, D)`."""
        flat = _Permute.apply(states.flatten(0, 1), self.gather[direction], self.scatter[direction])
        return flat.unflatten(0, self.shape)  # pyright: ignore

    def put_back(self, states: Tensor, direction: int) -> Tensor:
        """`(T, B, D)` -> `(B, T, D)`."""
        flat = _Permute.apply(states.flatten(0, 1), self.scatter[direction], self.gather[direction])
        return flat.unflatten(0, self.shape[::-1])  # pyright: ignore


class RecurrentLayers(nn.Module):
    """`(B, T, D)` -> `(B, T, directions * H)`; equal to torch's packed sequences. Elman network, GRU (Cho et al. 2014) or LSTM
    (Hochreiter & Schmidhuber 1997; Graves & Schmidhuber 2005 for two directions).

    Initial weights: Glorot uniform on the input, orthogonal on the state (Saxe et al. 2014), zero bias, except 1 for the forget
    gate of an LSTM (Jozefowicz et al. 2015).
    """

    def __init__(self, kind: Kind, inputs: int, hidden: int, *, layers: int, directions: int, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [inputs] + [hidden * directions] * (layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(initialised(_CELLS[kind](width, hidden)) for _ in range(directions)) for width in widths
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        places = Arrangement(mask)
        for depth, layer in enumerate(self.layers):
            inputs = self.dropout(states) if depth else states
            assert isinstance(layer, nn.ModuleList)
            states = torch.cat([_scan(cell, inputs, places, way) for way, cell in enumerate(layer)], dim=-1)
        return zeroed(states, mask)


def _scan(cell: nn.Module, states: Tensor, places: Arrangement, direction: int) -> Tensor:
    inputs = places.arranged(states, direction)
    if torch.compiler.is_exporting():
        assert isinstance(cell, nn.RNNBase)
        outputs = scan(inputs, [getattr(cell, f"{name}_l0") for name in _WEIGHTS], _kind(cell))
    else:
        outputs, _ = cell(inputs)
    return places.put_back(outputs, direction)


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _kind(cell: nn.RNNBase) -> Kind:
    return next(kind for kind in ("lstm", "gru", "rnn") if isinstance(cell, _TYPES[kind]))


@torch.library.custom_op("zhuji::scan", mutates_args=())
def scan(inputs: Tensor, weights: list[Tensor], kind: str) -> Tensor:
    """`(T, B, D)` -> `(T, B, H)`: one layer in one direction as one operation. An exporter that meets the cell itself unrolls it to as many
    units as its example has; this it can name, for any length. `weights`: on the input and the state, and the biases of both."""
    state = inputs.new_zeros(1, inputs.shape[1], weights[1].shape[1])
    if kind == "lstm":
        return torch.lstm(inputs, (state, state), weights, True, 1, 0.0, False, False, False)[0]
    run = torch.gru if kind == "gru" else torch.rnn_tanh
    return run(inputs, state, weights, True, 1, 0.0, False, False, False)[0]


@scan.register_fake
def _(inputs: Tensor, weights: list[Tensor], kind: str) -> Tensor:
    return inputs.new_empty(inputs.shape[0], inputs.shape[1], weights[1].shape[1])


def initialised(cell: nn.RNNBase) -> nn.RNNBase:
    """The same cell, of one layer and one direction, with initial weights as described at `RecurrentLayers`."""
    """The same cell with orthogonal recurrent weights, Glorot uniform input weights and biases of zero, gate by gate."""
    hidden = cell.hidden_size
    for name, weight in cell.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(weight)
            continue
        for gate in weight.data.split(hidden):
            (nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_)(gate)
    if isinstance(cell, nn.LSTM):
        nn.init.ones_(
            cell.get_parameter("bias_ih_l0").data[hidden : 2 * hidden]
        )  # torch orders the gates input, forget, cell, output
    return cell
