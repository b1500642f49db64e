"""Frames of sound one group after the other: what was said so far decides what of the text is attended to next, and both what is heard next.

Shapes: B rows, N units, D width of a unit's state, S steps, R frames of a step, T = S * R frames, M mel bands, W width of the
decoder, P width of the pre-net, A width of the attention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.seed import stream
from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import linear, norm, zeroed
from zhuji.nn.recurrent import initialised

_LEAST = 1e-30
"""Weight of a unit that cannot be attended to yet: above zero, so that its logarithm has a slope."""
_SELDOM = -4.0
"""Logit of a step being the last before anything is learned."""
_POSTNET = 5
"""Frames that a layer of the post-net sees."""


@dataclass(frozen=True)
class Text:
    """What is read in every step. `states (B, N, D)`, `keys (B, N, A)`, `mask (B, N)`."""

    states: Tensor
    keys: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Spoken:
    """What is remembered from step to step. `weights (B, N)` of the units in the last step, `total (B, N)` over all steps, `reader` and `makers`: states `(1, B, W)`
    of the recurrent networks, `last (B, M)`: the newest frame, `steps`: how many there were."""

    weights: Tensor
    total: Tensor
    reader: Tensor
    makers: tuple[Tensor, ...]
    last: Tensor
    steps: int = 0


@dataclass(frozen=True)
class Heard:
    """`frames (B, T, M)` before the post-net; `stops (B, S)`: logits of a step being the last; `energies` and `weights (B, S, N)` of the units."""

    frames: Tensor
    stops: Tensor
    energies: Tensor
    weights: Tensor


class PreNet(nn.Module):
    """What was heard last, through a bottleneck whose dropout keeps the decoder from reading on without the text (Wang et al. 2017, Tacotron, section 3.2). It stays while it speaks (Shen et al.
    2018, section 2.2), or the decoder believes its own frames: one that begins in silence never leaves it. What is dropped then depends on the step alone, so that a text sounds alike each time, and
    in any batch: `(B, S, M)` -> `(B, S, P)`; `first`: how many steps there were before."""

    def __init__(self, bands: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList((linear(bands, width), linear(width, width)))
        self.dropout, self.width = Dropout(dropout), width

    def forward(self, frames: Tensor, first: int = 0) -> Tensor:
        rate = self.dropout.rate
        drawn = None if self.training or not rate else self._drawn(first, frames.shape[1]).to(frames.device)
        for number, layer in enumerate(self.layers):
            frames = F.relu(layer(frames))
            frames = self.dropout(frames) if drawn is None else frames * (drawn[number] >= rate) / (1 - rate)
        return frames

    def _drawn(self, first: int, steps: int) -> Tensor:
        """`(layers, S, P)` in [0, 1), always the same for a step."""
        shape = (len(self.layers), self.width)
        each = [stream(0, "prenet", first + step).random(shape, dtype=np.float32) for step in range(steps)]
        return torch.from_numpy(np.stack(each, 1))


class ForwardAttention(nn.Module):
    """A step stays with its unit or moves on to the next: the weight that a unit may get is what it and the one before it had (Zhang, Ling & Dai 2018, Forward Attention in
    Sequence-to-Sequence Acoustic Modelling, section 3.1), and none is left for units before the one that had most. So what was left is never returned to. Energies are
    sensitive to location, by the weights of the last step and of all steps (Chorowski et al. 2015, section 2.1; Shen et al. 2018, Tacotron 2, section 2.2)."""

    def __init__(self, query: int, dim: int, width: int, window: int) -> None:
        super().__init__()
        self.query, self.key = linear(query, width), linear(dim, width, bias=False)
        self.window, self.place = window, linear(2 * window, width, bias=False)
        self.energy = linear(width, 1, bias=False)

    def forward(self, query: Tensor, text: Text, weights: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """`query (B, A)`, `weights` and `total (B, N)` of the steps before -> energies and weights `(B, N)`, -inf and 0 of padding."""
        margins = (self.window // 2, (self.window - 1) // 2)
        near = F.pad(torch.stack((weights, total), 1), margins).unfold(2, self.window, 1).transpose(1, 2).flatten(2)
        energies = self.energy(torch.tanh(query[:, None] + text.keys + self.place(near)))[..., 0]
        energies = energies.masked_fill(text.mask.logical_not(), -torch.inf)
        reached = weights + F.pad(weights, (1, 0))[:, :-1]
        left = torch.arange(weights.shape[1], device=weights.device) < weights.argmax(1, keepdim=True)
        return energies, (energies + reached.clamp_min(_LEAST).log()).masked_fill(left, -torch.inf).softmax(1)


class AttentiveDecoder(nn.Module):
    """A recurrent network reads what was said so far and attends to the text by it; others make the next `group` frames of what both tell (Wang et al. 2017, Tacotron, sections 3.2
    and 3.3; Shen et al. 2018, section 2.2). All steps at once while it learns from frames that are known (`taught`), one at a time while it speaks (`step`); both give the same after
    the same frames. What attends does not read what was attended to, as in Tacotron and unlike in Tacotron 2: so only the attention itself goes step by step while it learns."""

    def __init__(
        self, dim: int, width: int, bands: int, *,
        group: int, prenet: int, dropout: float, layers: int, window: int, noise: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.group, self.width, self.noise = group, width, noise
        self.prenet = PreNet(bands, prenet, dropout)
        self.reader = initialised(nn.GRU(prenet, width, batch_first=True))
        self.attention = ForwardAttention(width, dim, max(1, width // 4), window)
        self.enter = linear(width + dim, width)
        self.makers = nn.ModuleList(initialised(nn.GRU(width, width, batch_first=True)) for _ in range(layers))
        self.exit, self.stop = linear(width + dim, group * bands), linear(width + dim + 1, 1)
        nn.init.constant_(self.stop.bias, _SELDOM)

    def begin(self, states: Tensor, mask: Tensor) -> tuple[Text, Spoken]:
        """`states (B, N, D)` and `mask (B, N)`: nothing is said yet, and the first unit is attended to."""
        states = states.float()
        first = F.one_hot(torch.zeros_like(mask[:, 0], dtype=torch.int64), mask.shape[1]).float()
        nothing = states.new_zeros(1, len(states), self.width)
        silence = states.new_zeros(len(states), self.exit.out_features // self.group)
        text = Text(states, self.attention.key(states).float(), mask)
        return text, Spoken(first, torch.zeros_like(first), nothing, (nothing,) * len(self.makers), silence)

    def taught(self, states: Tensor, mask: Tensor, frames: Tensor) -> Heard:
        """`frames (B, T, M)`: what really was said; each step reads the last frame of the group before, while it learns under normal noise of deviation `noise`: for frames of its own are never
        quite those of a recording."""
        text, so_far = self.begin(states, mask)
        before = torch.cat((so_far.last[:, None], frames[:, self.group - 1 : -1 : self.group]), 1)
        if self.training and self.noise:
            before = before + self.noise * torch.randn_like(before)
        return self._run(before, text, so_far)[0]

    def step(self, text: Text, so_far: Spoken) -> tuple[Heard, Spoken]:
        """The next group of frames, and what is remembered then."""
        return self._run(so_far.last[:, None], text, so_far)

    def _run(self, before: Tensor, text: Text, so_far: Spoken) -> tuple[Heard, Spoken]:
        """`before (B, S, M)`: for each step the frame before it."""
        read, reader = _through(self.reader, self.prenet(before, so_far.steps), so_far.reader)
        weights, total, attended = so_far.weights, so_far.total, list[tuple[Tensor, Tensor]]()
        # In float32, for errors would add up over hundreds of steps.
        with torch.autocast(before.device.type, enabled=False):
            for query in self.attention.query(read.float()).unbind(1):
                energies, weights = self.attention(query, text, weights, total)
                total = total + weights
                attended.append((energies, weights))
            energies, every = (torch.stack(each, 1) for each in zip(*attended, strict=True))
            context = every @ text.states
        states, makers = self.enter(torch.cat((read.float(), context), 2)), list[Tensor]()
        for maker, state in zip(self.makers, so_far.makers, strict=True):
            more, last = _through(maker, states, state)
            states, makers = states + more, [*makers, last]
        states = torch.cat((states.float(), context), 2)
        frames = self.exit(states).float().unflatten(2, (self.group, -1)).flatten(1, 2)
        # For how long the last unit has been attended to says most of when to stop, also where frames are not quite like those that were learned from.
        ends = (text.mask.sum(1) - 1).clamp_min(0)[:, None, None].expand(-1, every.shape[1], 1)
        ended = (every.cumsum(1) + so_far.total[:, None]).gather(2, ends).log1p()
        stops = self.stop(torch.cat((states, ended), 2))[..., 0].float()
        heard = Heard(frames, stops, energies, every)
        return heard, Spoken(weights, total, reader, tuple(makers), frames[:, -1], so_far.steps + before.shape[1])


def _through(network: nn.Module, states: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    return network(states, before.to(states.dtype))


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
def spoken(decoder: AttentiveDecoder, states: Tensor, mask: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Step by step until the last unit is attended to and it is likelier than not that a row has stopped since, or it has `most` steps for each of its units: frames `(B, T, M)` before the post-net,
    how many each row has, `(B,)` int64, and the weights `(B, S, N)`. Where a sound ends in silence each single step may be unlikely to be the last: the median is the sum of all."""
    text, so_far = decoder.begin(states, mask)
    units = mask.sum(1)
    bound = units * most
    frames, weights = list[Tensor](), list[Tensor]()
    steps, surprise, speaks = torch.zeros_like(bound), torch.zeros_like(bound, dtype=torch.float64), bound > 0
    while not frames or bool(speaks.any()):
        heard, so_far = decoder.step(text, so_far)
        frames.append(heard.frames)
        weights.append(heard.weights)
        arrived = heard.weights[:, 0].argmax(1) >= units - 1
        steps, surprise = steps + speaks, surprise + F.softplus(heard.stops[:, 0].double()) * arrived
        speaks = speaks & (surprise < math.log(2)) & (steps < bound)
    return torch.cat(frames, 1), steps * decoder.group, torch.cat(weights, 1)
