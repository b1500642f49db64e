"""The last layer for one unit of each row. A head that reads the first or the last state of a row alone needs no other of the last layer: all units
answer there as keys and values, and one asks. What comes is the same; of four layers it saves a fifth of the products.

Shapes: B rows, T units of a row, N units as a block has them (B * T, or those without their padding), H heads, G key heads, E width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zhuji.nn.unpadded import Part, Unpadded


@dataclass(frozen=True)
class Asked:
    """Who asks, and whom it may see. `place (B,)` int64: where the unit stands among the N; `sight (B, 1, 1, T)`: what is added to its scores, or
    whether it may see; `angles`: those of its position; `rows`: how keys that stand without their padding find their rows."""

    place: Tensor
    sight: Tensor
    angles: tuple[Tensor, Tensor] | None
    rows: Part | None

    def of(self, states: Tensor) -> Tensor:
        """`(B, T, D)`, or `(1, N, D)` without padding -> `(B, 1, D)`."""
        return states.flatten(0, 1).index_select(0, self.place)[:, None]

    def rows_of(self, states: Tensor) -> Tensor:
        """`(B, T, D)`, or `(1, N, D)` without padding -> `(B, T, D)`."""
        return states if self.rows is None else self.rows.put(states)

    def keys(self, heads: Tensor) -> Tensor:
        """`(B, G, T, E)`, or `(1, G, N, E)` without padding -> `(B, G, T, E)`."""
        return heads if self.rows is None else self.rows.rows(heads)


def asked(number: Tensor, may_see: Tensor | Unpadded, angles: tuple[Tensor, Tensor] | None) -> Asked:
    """Unit `number (B,)` int64 of each row asks. `may_see`: what every unit may see; `angles`, `(B or 1, 1, T or N, E/2)` each: of every unit."""
    rows, sight = (may_see.whole, may_see.whole.bias) if isinstance(may_see, Unpadded) else (None, may_see)
    if rows is None:
        units = sight.shape[-1]
        place = torch.arange(number.shape[0], device=number.device) * units + number
    else:
        place = rows.back.gather(1, number[:, None])[:, 0]
    if sight.shape[2] > 1:
        sight = sight.gather(2, number[:, None, None, None].expand(-1, sight.shape[1], 1, sight.shape[3]))
    if angles is not None:
        angles = tuple(each.transpose(1, 2).flatten(0, 1).index_select(0, place)[:, None] for each in angles)  # pyright: ignore[reportAssignmentType]
    return Asked(place, sight, angles, rows)
