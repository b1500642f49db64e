"""Frames of sound one group after the other: what was said so far decides what of the text is attended to next, and both what is heard next.

Shapes: B rows, N units, D width of a unit's state, S steps, R frames of a step, T = S * R frames, M mel bands, W width of the
decoder, P width of the pre-net, A width of the attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.convolution import MaskedConv1d
from zhuji.nn.dropout import Dropout
from zhuji.nn.layers import linear, norm, zeroed
from zhuji.nn.recurrent import initialised

_LEAST = 1e-30
"""Weight of a unit that cannot be attended to yet: above zero, so that its logarithm has a slope."""
_POSTNET = 5
"""Frames that a layer of the post-net sees."""


@dataclass(frozen=True)
class Text:
    """What is read in every step. `states (B, N, D)`, `keys (B, A, N)`, `mask (B, N)`."""

    states: Tensor
    keys: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Spoken:
    """What is remembered from step to step. `hidden (B, W)` of the network that attends, `context (B, D)`, `weights (B, N)` of the units in the last step,
    `total (B, N)` over all steps, `makers`: states `(B, W)` of the networks that make frames, `last (B, M)`: the newest frame."""

    hidden: Tensor
    context: Tensor
    weights: Tensor
    total: Tensor
    makers: tuple[Tensor, ...]
    last: Tensor


@dataclass(frozen=True)
class Heard:
    """`frames (B, T, M)` before the post-net; `stops (B, S)`: logits of a step being the last; `energies` and `weights (B, S, N)` of the units."""

    frames: Tensor
    stops: Tensor
    energies: Tensor
    weights: Tensor


class PreNet(nn.Module):
    """What was heard last, through a bottleneck whose dropout keeps the decoder from reading on without the text (Wang et al. 2017, Tacotron, section 3.2):
    `(…, M)` -> `(…, P)`."""

    def __init__(self, bands: int, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList((linear(bands, width), linear(width, width)))
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        for layer in self.layers:
            frames = self.dropout(F.relu(layer(frames)))
        return frames


class ForwardAttention(nn.Module):
    """A step stays with its unit or moves on to the next: the weight that a unit may get is what it and the one before it had (Zhang, Ling & Dai 2018, Forward Attention in
    Sequence-to-Sequence Acoustic Modelling, section 3.1). Nothing can be leapt over, and what was left is not returned to. Energies are sensitive to location, by the weights of the last
    step and of all steps (Chorowski et al. 2015, section 2.1; Shen et al. 2018, Tacotron 2, section 2.2)."""

    def __init__(self, query: int, dim: int, width: int, window: int) -> None:
        super().__init__()
        self.query, self.key = linear(query, width), linear(dim, width, bias=False)
        self.place = nn.Conv1d(2, width, 2 * (window // 2) + 1, padding=window // 2, bias=False)
        self.energy = linear(width, 1, bias=False)

    def forward(self, query: Tensor, text: Text, weights: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """`query (B, Q)`, `weights` and `total (B, N)` of the steps before -> energies and weights `(B, N)`, -inf and 0 of padding."""
        mixed = torch.tanh(self.query(query)[..., None] + text.keys + self.place(torch.stack((weights, total), 1)))
        energies = (self.energy.weight @ mixed)[:, 0].masked_fill(text.mask.logical_not(), -torch.inf)
        reached = weights + F.pad(weights, (1, 0))[:, :-1]
        return energies, (energies + reached.clamp_min(_LEAST).log()).softmax(1)


class AttentiveDecoder(nn.Module):
    """A recurrent network reads the newest frame and attends; others, with what is attended to, make the next `group` frames (Wang et al. 2017, sections 3.2 and 3.3;
    Shen et al. 2018, section 2.2). All steps at once while it learns from frames that are known (`taught`), one at a time while it speaks (`step`); both give the same after the
    same frames."""

    def __init__(
        self, dim: int, width: int, bands: int, *, group: int, prenet: int, dropout: float, layers: int, window: int
    ) -> None:
        super().__init__()
        self.group, self.width = group, width
        self.prenet = PreNet(bands, prenet, dropout)
        self.reader = initialised(nn.GRU(prenet + dim, width, batch_first=True))
        self.attention = ForwardAttention(width, dim, width // 2, window)
        self.enter = linear(width + dim, width)
        self.makers = nn.ModuleList(initialised(nn.GRU(width, width, batch_first=True)) for _ in range(layers))
        self.exit, self.stop = linear(width + dim, group * bands), linear(width + dim, 1)

    def begin(self, states: Tensor, mask: Tensor) -> tuple[Text, Spoken]:
        """`states (B, N, D)` and `mask (B, N)`: nothing is said yet, and the first unit is attended to."""
        states = states.float()
        nothing, first = (
            states.new_zeros(len(states), self.width),
            F.one_hot(torch.zeros_like(mask[:, 0], dtype=torch.int64), mask.shape[1]),
        )
        text = Text(states, self.attention.key(states).float().mT, mask)
        silence = states.new_zeros(len(states), self.exit.out_features // self.group)
        return text, Spoken(
            nothing, torch.zeros_like(states[:, 0]), first.float(), first.float() * 0, (nothing,) * len(self.makers), silence
        )

    def taught(self, states: Tensor, mask: Tensor, frames: Tensor) -> Heard:
        """`frames (B, T, M)`: what really was said; each step reads the last frame of the group before."""
        text, so_far = self.begin(states, mask)
        before = torch.cat((so_far.last[:, None], frames[:, self.group - 1 : -1 : self.group]), 1)
        read, attended = self.prenet(before), list[tuple[Tensor, ...]]()
        for step in range(before.shape[1]):
            energies, so_far = self._attend(read[:, step], text, so_far)
            attended.append((so_far.hidden, so_far.context, energies, so_far.weights))
        hidden, context, energies, weights = (torch.stack(each, 1) for each in zip(*attended, strict=True))
        frames, stops, _ = self._made(hidden, context, so_far.makers)
        return Heard(frames, stops, energies, weights)

    def step(self, text: Text, so_far: Spoken) -> tuple[Tensor, Tensor, Spoken]:
        """The next group of frames `(B, R, M)`, the logit `(B,)` of its being the last, and what is remembered then."""
        _, so_far = self._attend(self.prenet(so_far.last), text, so_far)
        frames, stops, makers = self._made(so_far.hidden[:, None], so_far.context[:, None], so_far.makers)
        return frames, stops[:, 0], replace(so_far, makers=makers, last=frames[:, -1])

    def _attend(self, read: Tensor, text: Text, so_far: Spoken) -> tuple[Tensor, Spoken]:
        """One step of the reader, `read (B, P)`. In float32, for errors would add up over hundreds of steps."""
        with torch.autocast(read.device.type, enabled=False):
            given = torch.cat((read.float(), so_far.context), 1)
            hidden = self.reader(given[:, None], so_far.hidden[None])[0][:, 0]
            energies, weights = self.attention(hidden, text, so_far.weights, so_far.total)
            context = (weights[:, None] @ text.states)[:, 0]
        return energies, replace(so_far, hidden=hidden, context=context, weights=weights, total=so_far.total + weights)

    def _made(self, hidden: Tensor, context: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """`hidden (B, S, W)` and `context (B, S, D)` -> frames `(B, S * R, M)`, logits `(B, S)`, and the makers' states."""
        states, after = self.enter(torch.cat((hidden, context), 2)), list[Tensor]()
        for maker, state in zip(self.makers, before, strict=True):
            more, last = maker(states, state[None].to(states.dtype))
            states, after = states + more, [*after, last[0]]
        states = torch.cat((states, context.to(states.dtype)), 2)
        frames = self.exit(states).float().unflatten(2, (self.group, -1)).flatten(1, 2)
        return frames, self.stop(states)[..., 0].float(), tuple(after)


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
    """Step by step until each row stops by itself, or has `most` steps for each of its units: frames `(B, T, M)` before the post-net, how many each row has, `(B,)` int64,
    and the weights `(B, S, N)`."""
    text, so_far = decoder.begin(states, mask)
    bound = mask.sum(1) * most
    frames, weights = list[Tensor](), list[Tensor]()
    steps, speaks = torch.zeros_like(bound), bound > 0
    while not frames or bool(speaks.any()):
        made, stop, so_far = decoder.step(text, so_far)
        frames.append(made)
        weights.append(so_far.weights)
        steps = steps + speaks
        speaks = speaks & (stop <= 0) & (steps < bound)
    return torch.cat(frames, 1), steps * decoder.group, torch.stack(weights, 1)
