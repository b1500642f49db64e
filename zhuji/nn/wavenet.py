"""Gated convolutions at growing dilations (van den Oord et al. 2016, WaveNet), and the queues by which they go on unit by unit.

Shapes: B rows, T units, n new ones, D width of a state, H gates, S skip channels, W window, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features
from zhuji.nn.cache import CachedBody, Seen
from zhuji.nn.layers import linear, zeroed


def windows(states: Tensor, past: Tensor, ahead: int, dilation: int) -> Tensor:
    """`states (B, T, D)` with `past (B, R, D)` before them and `ahead` zeros behind -> `(B, T, W * D)`: at each unit the W units that it looks at,
    `dilation` apart, oldest first; W - 1 = (R + ahead) / dilation."""
    length, reach = states.shape[1], past.shape[1] + ahead
    joined = torch.cat((past, states), 1)
    joined = F.pad(joined, (0, 0, 0, ahead)) if ahead else joined
    return torch.cat([joined[:, start : start + length] for start in range(0, reach + 1, dilation)], -1)


class Added(nn.Module):
    """`total (N, O)` or `(O,)`, and `inputs (N, I)` -> `total + inputs W^T`, in one pass over the numbers; there is no bias."""

    def __init__(self, inputs: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.xavier_uniform_(self.weight, gain=gain)

    def forward(self, total: Tensor, inputs: Tensor) -> Tensor:
        return torch.addmm(total, inputs, self.weight.t())


class Gate(nn.Module):
    """`tanh(V x) * sigmoid(U x)` of what a window shows (equation 2). `taps` holds V above U."""

    def __init__(self, width: int, hidden: int, skip: int, *, window: int, gain: float, last: bool) -> None:
        super().__init__()
        self.taps = linear(window * width, 2 * hidden)
        # What a layer adds is read by the taps of later ones, which have a bias; and nobody reads what the last one would add.
        self.residual = None if last else Added(hidden, width, gain)
        self.skip = Added(hidden, skip, gain)

    def forward(self, seen: Tensor) -> Tensor:
        """`seen (..., W * D)` -> `(..., H)`."""
        signal, gate = self.taps(seen).chunk(2, -1)
        return signal.tanh() * gate.sigmoid()


class Sizes(NamedTuple):
    """Numbers of a stack, of which `dilations` has one for each layer."""

    width: int
    hidden: int
    skip: int
    out: int
    window: int
    dilations: tuple[int, ...]


class DilatedStack(CachedBody):
    """`Features` -> `Features` of width `out`: a convolution, gates at the given dilations, the sum of what each of them says, two layers (figure 4; the last
    of its layers is the head's). With `causal` a unit sees those before it and itself alone; otherwise windows are centred, the larger half ahead.

    Without `causal` padding is read as silence; with it padding lies behind a row, where no unit of it looks.
    """

    def __init__(self, sizes: Sizes, causal: bool) -> None:
        super().__init__()
        s = self.sizes = sizes
        self.causal = causal
        # What all layers add together should not outgrow what they add to.
        gain = len(s.dilations) ** -0.5
        self.entry = linear(s.window * s.width, s.width)
        self.gates = nn.ModuleList(
            Gate(s.width, s.hidden, s.skip, window=s.window, gain=gain, last=place == len(s.dilations) - 1)
            for place in range(len(s.dilations))
        )
        self.loudness = nn.Parameter(torch.zeros(s.skip))
        self.exit = linear(s.skip, s.out)

    def cache(self) -> Queues:
        assert self.causal, "a body that looks ahead cannot go on from what it has seen"
        return Queues([(self.sizes.window - 1) * dilation for dilation in (1, *self.sizes.dilations)], self._laid_out())

    def forward(self, features: Features, cache: Seen | None = None) -> Features:
        states, mask = zeroed(features.states, features.mask), features.mask
        if cache is None:
            skips, _ = self._through(states, mask, None)
        else:
            assert isinstance(cache, Queues)
            cache.begin(states)
            if states.shape[1] == 1 and bool(mask.all()):
                skips = self._one(states[:, 0], cache)[:, None]
            else:
                skips, inputs = self._through(states, mask, cache.unrolled())
                cache.keep(inputs, mask)
        return Features(zeroed(self.exit(F.relu(skips)).relu(), mask), mask, features.segments)

    def _through(self, states: Tensor, mask: Tensor, pasts: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Sum of the skips `(B, T, S)`, and what each convolution read, the entry's first."""
        window, dilations = self.sizes.window, (1, *self.sizes.dilations)

        def seen(place: int) -> Tensor:
            reach = (window - 1) * dilations[place]
            behind = reach if self.causal else reach // 2
            past = states.new_zeros(len(states), behind, states.shape[-1]) if pasts is None else pasts[place]
            return windows(states, past, reach - behind, dilations[place])

        inputs = [states]  # kept for the queues alone
        states = zeroed(self.entry(seen(0)), mask)
        skips = self.loudness
        for place, gate in enumerate(self.gates, 1):
            assert isinstance(gate, Gate)
            inputs += [] if pasts is None else [states]
            gated = gate(seen(place)).flatten(0, 1)
            skips = gate.skip(skips, gated)
            if gate.residual is not None:
                states = gate.residual(states.flatten(0, 1), gated).view(states.shape)
                states = states if self.causal else zeroed(states, mask)
        return skips.view(*mask.shape, -1), inputs

    def _laid_out(self) -> _Weights:
        """The weights in the order in which one unit meets them."""
        gates, width = [cast(Gate, gate) for gate in self.gates], self.sizes.width
        assert all(type(layer) is nn.Linear for layer in (self.entry, *(gate.taps for gate in gates))), (
            "adapters are merged first"
        )
        with torch.no_grad():
            # sigmoid(x) = (1 + tanh(x / 2)) / 2: one tanh does both, and what is halved is halved here once.
            half = torch.ones(2 * self.sizes.hidden).to(self.loudness)
            half[self.sizes.hidden :] = 0.5
            taps = [gate.taps.weight.mT * half for gate in gates]
            return _Weights(
                before=torch.stack([one[:-width] for one in taps]),
                bias=torch.stack([gate.taps.bias * half for gate in gates])[:, None],
                now=[one[-width:].contiguous() for one in taps],
                residual=[gate.residual.weight.mT.contiguous() / 2 for gate in gates if gate.residual is not None],
                skips=torch.cat([gate.skip.weight for gate in gates], 1).mT.contiguous() / 2,
            )

    def _one(self, state: Tensor, cache: Queues) -> Tensor:
        """`state (B, D)` of the next unit -> the sum of its skips `(B, S)`. What all layers look back on is known beforehand, so it is multiplied at
        once; each layer then adds its newest input."""
        weights = cache.weights
        past = cache.looked_back(self.sizes.window - 1)
        inputs = [state]
        state = F.linear(torch.cat((past[0], state), -1), self.entry.weight, self.entry.bias)
        before = torch.baddbmm(weights.bias, past[1:], weights.before)
        gated = list[Tensor]()
        for place, (known, now) in enumerate(zip(before.unbind(0), weights.now, strict=True)):
            inputs.append(state)
            signal, gate = torch.addmm(known, state, now).tanh_().chunk(2, -1)
            gated.append(torch.addcmul(signal, signal, gate))
            if place < len(weights.residual):
                state = torch.addmm(state, gated[-1], weights.residual[place])
        cache.push(torch.stack(inputs))
        return torch.addmm(self.loudness, torch.cat(gated, -1), weights.skips)


class _Weights(NamedTuple):
    """`before (L, (W - 1) * D, 2H)`, `bias (L, 1, 2H)`, `skips (L * H, S)`; a `now (D, 2H)` and a `residual (H, D)` for each layer."""

    before: Tensor
    bias: Tensor
    now: Sequence[Tensor]
    residual: Sequence[Tensor]
    skips: Tensor


class Queues(Seen):
    """Of each convolution the states that it will look back on, in rings (Paine et al. 2016, Fast Wavenet Generation Algorithm): a new unit costs one step
    of each, however long the row and however wide the view.

    Rings lie one behind the other in `rings (sum of reaches, B, D)`, and all have turned `turns` times.
    """

    def __init__(self, reaches: Sequence[int], weights: _Weights) -> None:
        self.reaches, self.weights = tuple(reaches), weights
        self.rings: Tensor | None = None
        self.turns = 0
        self._sizes = torch.tensor(self.reaches, device=weights.bias.device)
        self._firsts = self._sizes.cumsum(0) - self._sizes

    def select(self, index: Tensor) -> Self:
        chosen = type(self)(self.reaches, self.weights)
        chosen.rings = None if self.rings is None else self.rings.index_select(1, index)
        chosen.turns = self.turns
        return chosen

    def begin(self, states: Tensor) -> None:
        """Silence stands before the first unit. `states (B, n, D)` are like those that will be kept."""
        if self.rings is None:
            self.rings = states.new_zeros(sum(self.reaches), len(states), states.shape[-1])

    def looked_back(self, count: int) -> Tensor:
        """What the `count` older taps of each convolution see: `(1 + L, B, count * D)`, oldest first."""
        assert self.rings is not None
        sizes = self._sizes[:, None]
        turns = self.turns + sizes // count * torch.arange(count, device=sizes.device)
        found = self.rings.index_select(0, (self._firsts[:, None] + turns % sizes).flatten())
        return found.unflatten(0, (len(self.reaches), count)).transpose(1, 2).flatten(2)

    def push(self, inputs: Tensor) -> None:
        """`inputs (1 + L, B, D)` take the places of the oldest."""
        assert self.rings is not None
        self.rings.index_copy_(0, self._firsts + self.turns % self._sizes, inputs)
        self.turns += 1

    def unrolled(self) -> list[Tensor]:
        """Of each convolution `(B, reach, D)`, oldest first."""
        assert self.rings is not None
        parts = self.rings.split(list(self.reaches))
        return [part.roll(-(self.turns % len(part)), 0).transpose(0, 1) for part in parts]

    def keep(self, inputs: Sequence[Tensor], mask: Tensor) -> None:
        """After `inputs`, `(B, n, D)` of each convolution, of which `mask (B, n)` tells the real ones, padding behind."""
        assert self.rings is not None
        counts = mask.sum(1)
        assert bool((mask == (torch.arange(mask.shape[1], device=mask.device) < counts[:, None])).all()), "padding lies behind"
        kept = list[Tensor]()
        for past, states in zip(self.unrolled(), inputs, strict=True):
            index = counts[:, None] + torch.arange(past.shape[1], device=mask.device)
            joined = torch.cat((past, states), 1)
            kept.append(joined.gather(1, index[..., None].expand(-1, -1, joined.shape[-1])).transpose(0, 1))
        self.rings, self.turns = torch.cat(kept), 0
