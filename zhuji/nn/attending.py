"""Frames of sound one group after the other: of what was heard last and of the unit that is said, what is heard next, and whether the next unit's turn has come.

Shapes: B rows, N units, D width of a unit's state, S steps, R frames of a step, T = S * R frames, M mel bands, W width of the
decoder, P width of the pre-net.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import linear, norm, zeroed
from zhuji.nn.recurrent import initialised

_SELDOM = -1.0
"""Logit of moving on after a step before anything is learned."""
_POSTNET = 5
"""Frames that a layer of the post-net sees."""


@dataclass(frozen=True)
class Heard:
    """`frames (B, T, M)` before the post-net; `onward (B, S)`: logits of moving on to the next unit after a step, of stopping after the last."""

    frames: Tensor
    onward: Tensor


@dataclass(frozen=True)
class Memory:
    """What is remembered from step to step: `makers`, states `(1, B, W)` of the recurrent networks; `last (B, M)`: the newest frame."""

    makers: tuple[Tensor, ...]
    last: Tensor


class PreNet(nn.Module):
    """What was heard last, through a bottleneck whose dropout keeps the decoder from reading on without the text (Wang et al. 2017, Tacotron, section 3.2): `(B, S, M)` -> `(B, S, P)`.
    Tacotron 2 leaves the dropout on while it speaks; where units are attended to one by one, and frames are read under noise, nothing is heard of it."""

    def __init__(self, bands: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList((linear(bands, width), linear(width, width)))
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        for layer in self.layers:
            frames = self.dropout(F.relu(layer(frames)))
        return frames


class AttentiveDecoder(nn.Module):
    """The pre-net's sight of the last frame, the unit that is attended to, and for how long it has been: recurrent networks make the next `group` frames of these (Wang et al. 2017,
    Tacotron, section 3.3; Shen et al. 2018, Tacotron 2, section 2.2). Attention is stepwise and hard: a step stays with its unit or moves on to the next (He, Deng & He 2019, Robust
    Sequence-to-Sequence Acoustic Modeling with Stepwise Monotonic Attention, section 3). While it learns, the path through the units is given, so that all steps are computed at once
    (`taught`); while it speaks, it is chosen step by step (`step`). Both give the same after the same frames on the same path."""

    def __init__(
        self, dim: int, width: int, bands: int, *, group: int, prenet: int, dropout: float, layers: int, noise: float
    ) -> None:
        super().__init__()
        self.group, self.width, self.noise = group, width, noise
        self.prenet = PreNet(bands, prenet, dropout)
        self.enter = linear(prenet + dim + 1, width)
        self.makers = nn.ModuleList(initialised(nn.GRU(width, width, batch_first=True)) for _ in range(layers))
        self.exit, self.onward = linear(width + dim, group * bands), linear(width + dim, 1)
        nn.init.constant_(self.onward.bias, _SELDOM)

    def begin(self, states: Tensor) -> Memory:
        """`states (B, N, D)`: nothing is said yet."""
        nothing = states.new_zeros(1, len(states), self.width)
        return Memory((nothing,) * len(self.makers), states.new_zeros(len(states), self.exit.out_features // self.group))

    def taught(self, states: Tensor, frames: Tensor, path: Tensor) -> Heard:
        """`states (B, N, D)`, `frames (B, T, M)`: what really was said, and `path (B, S)`: the unit of each step. A step reads the last frame of the group before, while it learns under
        normal noise of deviation `noise`: for frames of its own are never quite those of a recording."""
        memory = self.begin(states)
        before = torch.cat((memory.last[:, None], frames[:, self.group - 1 : -1 : self.group]), 1)
        if self.training and self.noise:
            before = before + self.noise * torch.randn_like(before)
        return self._run(before, states, path, since(path), memory)[0]

    def step(self, states: Tensor, unit: Tensor, lasted: Tensor, memory: Memory) -> tuple[Heard, Memory]:
        """The next group of frames while `unit (B,)` is said that has `lasted (B,)` steps, and what is remembered then."""
        return self._run(memory.last[:, None], states, unit[:, None], lasted[:, None], memory)

    def _run(self, before: Tensor, states: Tensor, path: Tensor, lasted: Tensor, memory: Memory) -> tuple[Heard, Memory]:
        """`before (B, S, M)`: for each step the frame before it; `path` and `lasted (B, S)`."""
        context = states.gather(1, path[..., None].expand(-1, -1, states.shape[2]))
        read = self.prenet(before)
        inner, makers = self.enter(torch.cat((read, context, lasted[..., None].to(context.dtype).log1p()), 2)), list[Tensor]()
        for maker, state in zip(self.makers, memory.makers, strict=True):
            more, last = maker(inner, state.to(inner.dtype))
            inner, makers = inner + more, [*makers, last]
        inner = torch.cat((inner, context), 2)
        frames = self.exit(inner).float().unflatten(2, (self.group, -1)).flatten(1, 2)
        heard = Heard(frames, self.onward(inner)[..., 0].float())
        return heard, Memory(tuple(makers), frames[:, -1])


def since(path: Tensor) -> Tensor:
    """`path (B, S)`, the unit of each step -> `(B, S)`: how many steps before it were of the same unit."""
    place = torch.arange(path.shape[1], device=path.device).expand_as(path)
    entered = F.pad(path.diff(dim=1) != 0, (1, 0), value=True)
    return place - torch.where(entered, place, 0).cummax(1).values


class PostNet(nn.Module):
    """What a look ahead adds to the frames (Shen et al. 2018, section 2.2): `(B, T, M)` -> `(B, T, M)`, zero behind what is `real (B, T)`."""

    def __init__(self, bands: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [bands, *[width] * (layers - 1)]
        self.layers = nn.ModuleList(MaskedConv1d(one, width, _POSTNET) for one in widths)
        self.norms = nn.ModuleList(norm("layer", width) for _ in widths)
        self.dropout, self.exit = Dropout(dropout), linear(width, bands, gain=0.1)

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        states = frames
        for layer, norms in zip(self.layers, self.norms, strict=True):
            states = self.dropout(torch.tanh(norms(layer(states, real))))
        return zeroed(frames + self.exit(states).float(), real)


@torch.no_grad()
def spoken(decoder: AttentiveDecoder, states: Tensor, mask: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Step by step, with each unit until it is likelier than not that its turn is over, or for `most` steps: frames `(B, T, M)` before the post-net, and how many steps each unit has,
    `(B, N)` int64. Where each single step may be unlikely to be a unit's last, the sum of all tells the median."""
    memory, units = decoder.begin(states), mask.sum(1)
    rows, last = torch.arange(len(units), device=units.device), (units - 1).clamp_min(0)
    unit, lasted, surprise = torch.zeros_like(units), torch.zeros_like(units), torch.zeros_like(units, dtype=torch.float64)
    frames, durations = list[Tensor](), torch.zeros_like(mask, dtype=torch.int64)
    while not frames or bool((unit < units).any()):
        here = unit.minimum(last)
        durations[rows, here] += unit < units
        heard, memory = decoder.step(states, here, lasted, memory)
        frames.append(heard.frames)
        lasted, surprise = lasted + 1, surprise + F.softplus(heard.onward[:, 0].double())
        over = (surprise >= math.log(2)) | (lasted >= most)
        unit, lasted, surprise = unit + over, lasted.masked_fill(over, 0), surprise.masked_fill(over, 0.0)
    return torch.cat(frames, 1), durations
