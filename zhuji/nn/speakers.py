"""Speakers: states of a text to frames of sound, by durations or by attention, while they learn from recordings and while they speak.

Shapes: B rows, N units, D width of a unit's state, T frames, M mel bands, S steps of R frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from zhuji.nn.acoustic import Aligner, Durations, Sounding, deviance
from zhuji.nn.alignment import best_path, forward_sum, spread
from zhuji.nn.attending import AttentiveDecoder, PostNet, spoken
from zhuji.nn.layers import embedding, zeroed

_MOST = 200
"""Frames of one unit at most, before the speed is changed."""
_ROOM = 24
"""Frames for each unit, on average over a text, for which there is room in a graph that is written for another program."""
_POSTNET = 3
"""Layers of the post-net."""


class Speaker(nn.Module, ABC):
    """`mean` and `deviation (M,)`: of the bands; `seconds`: from frame to frame; `speakers`: how many there are to be told apart."""

    mean: Tensor
    deviation: Tensor
    least: int = 1
    """Frames that a unit must have to be learned from."""

    def __init__(self, dim: int, speakers: int, scale: tuple[Tensor, Tensor], seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.speaker = embedding(speakers, dim) if speakers > 1 else None
        for name, value in zip(("mean", "deviation"), scale, strict=True):
            self.register_buffer(name, value.clone(), persistent=False)

    def voiced(self, states: Tensor, mask: Tensor, speaker: Tensor) -> Tensor:
        """The states `(B, N, D)` of units as `speaker (B,)` says them."""
        if self.speaker is None:
            return states
        return (states + self.speaker(speaker)[:, None]).masked_fill(mask.logical_not()[..., None], 0.0)

    def learned(self, states: Tensor, mask: Tensor, frames: Tensor, spoken: Tensor) -> dict[str, Tensor]:
        """Normalised `frames (B, T, M)`, of which `spoken (B,)` are real -> sums by row, float64: of the `error` of all frames that are made on the way, of those of the last of
        them (`wrong`), of the loss of the alignment (`apart`) and of how long it is spoken (`timing`); over how many frames (`terms`). `unfit`: rows that teach nothing."""
        units = mask.sum(1)
        fits = (spoken >= units * self.least) & (spoken > 0)
        # What does not fit is computed as if it had frames for each unit, so that nothing infinite touches a slope.
        lasting = torch.where(fits, spoken, units * self.least)
        frames = frames[:, : int(lasting.max())]
        frames = nn.functional.pad(frames, (0, 0, 0, int(lasting.max()) - frames.shape[1]))
        real = torch.arange(frames.shape[1], device=frames.device)[None] < lasting[:, None]
        kept = self._learned(states, mask, frames.masked_fill(real.logical_not()[..., None], 0.0), real)
        kept |= {"terms": lasting.double(), "lasting": lasting * self.seconds}
        kept |= {"late": (kept["seconds"].detach() - kept["lasting"]).abs()}
        told = {name: torch.where(fits, value, 0.0) for name, value in kept.items() if name != "seconds"}
        return {**told, "unfit": fits.logical_not().double(), "seconds": kept["seconds"]}

    @abstractmethod
    def _learned(self, states: Tensor, mask: Tensor, frames: Tensor, real: Tensor) -> dict[str, Tensor]:
        """The sums, of rows that all fit, and `seconds (B,)` that these texts take, said freely."""

    @abstractmethod
    def said(self, states: Tensor, mask: Tensor, speed: float) -> dict[str, Tensor]:
        """`seconds (B,)` float64; `frames (B, T, M)` as they are heard, which of them are `real (B, T)`, `durations (B, N)`: see `core.voices.Said`."""


def off(heard: Tensor, frames: Tensor, real: Tensor) -> Tensor:
    """`(B,)` float64: the mean absolute error of the bands, summed over real frames."""
    return (heard - frames).abs().mean(2).double().masked_fill(real.logical_not(), 0.0).sum(1)


class ByDurations(Speaker):
    """All frames at once, by how long each unit is said (Ren et al. 2019 and 2021, FastSpeech; Badlani et al. 2021)."""

    def __init__(
        self, dim: int, speakers: int, scale: tuple[Tensor, Tensor], seconds: float, *,
        width: int, layers: int, heads: int, hidden: int, window: int, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(dim, speakers, scale, seconds)
        self.aligner = Aligner(dim, len(scale[0]))
        self.durations = Durations(dim, width, dropout)
        self.sounding = Sounding(
            dim, width, len(scale[0]), layers=layers, heads=heads, window=window, hidden=hidden, dropout=dropout
        )

    def _learned(self, states: Tensor, mask: Tensor, frames: Tensor, real: Tensor) -> dict[str, Tensor]:
        units, lasting = mask.sum(1), real.sum(1)
        log_p = self.aligner(states, mask, frames, real)
        durations = best_path(log_p, lasting, units)
        spread_out, place, _ = spread(states, durations, frames.shape[1])
        wrong = off(self.sounding(spread_out, place, real), frames, real)
        logs = self.durations(states, mask)
        timing = deviance(logs, durations).masked_fill(mask.logical_not(), 0.0).sum(1)
        seconds = self._lasting(logs, mask).sum(1) * self.seconds
        return {
            "error": wrong,
            "wrong": wrong,
            "apart": forward_sum(log_p, lasting, units),
            "timing": timing,
            "seconds": seconds,
        }

    def said(self, states: Tensor, mask: Tensor, speed: float) -> dict[str, Tensor]:
        lasting = self._lasting(self.durations(states, mask), mask) / speed
        durations = lasting.round().long().clamp_min(1).masked_fill(mask.logical_not(), 0)
        # A graph must know how many frames it makes before it knows how long a text takes.
        longest = durations.shape[1] * _ROOM if torch.compiler.is_exporting() else int(durations.sum(1).max())
        spread_out, place, real = spread(states, durations, longest)
        heard = self.sounding(spread_out, place, real) * self.deviation + self.mean
        seconds = lasting.sum(1) * self.seconds
        return {"seconds": seconds, "frames": heard, "real": real, "durations": durations}

    def _lasting(self, logs: Tensor, mask: Tensor) -> Tensor:
        """Frames of each unit, `(B, N)` float64, not rounded."""
        return logs.double().exp().clamp_max(_MOST).masked_fill(mask.logical_not(), 0.0)


class ByAttention(Speaker):
    """One group of frames after the other, attending to the text (Wang et al. 2017, Tacotron; Shen et al. 2018, Tacotron 2; He, Deng & He 2019). Which unit a step of a recording belongs
    to is found as that of durations is (Badlani et al. 2021); the chance to move on learns from that path, as what is heard does."""

    def __init__(
        self, dim: int, speakers: int, scale: tuple[Tensor, Tensor], seconds: float, *,
        width: int, layers: int, group: int, prenet: int, forget: float, noise: float, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(dim, speakers, scale, seconds)
        self.least = group
        self.aligner = Aligner(dim, len(scale[0]))
        self.decoder = AttentiveDecoder(
            dim, width, len(scale[0]), group=group, prenet=prenet, dropout=forget, layers=layers, noise=noise
        )
        self.postnet = PostNet(len(scale[0]), max(1, width // 2), _POSTNET, dropout)

    def _learned(self, states: Tensor, mask: Tensor, frames: Tensor, real: Tensor) -> dict[str, Tensor]:
        units, lasting, group = mask.sum(1), real.sum(1), self.least
        steps, more = -(-lasting // group), (0, 0, 0, -frames.shape[1] % group)
        log_p = self.aligner(states, mask, frames, real).masked_fill(real.logical_not()[..., None], 0.0)
        log_p = nn.functional.pad(log_p, more).unflatten(1, (-1, group)).sum(2)
        durations = best_path(log_p, steps, units)
        heard = self.decoder.taught(states, nn.functional.pad(frames, more), path_of(durations, log_p.shape[1]))
        drafted = heard.frames[:, : frames.shape[1]]
        wrong = off(self.postnet(drafted, real), frames, real)
        told = {
            "error": wrong + off(drafted, frames, real), "wrong": wrong, "timing": turning(heard.onward, durations),
            "apart": forward_sum(log_p, steps, units), "seconds": lasting * self.seconds,
        }  # fmt: skip
        # How long it speaks shows only where nobody prompts.
        return told if self.training else {**told, "seconds": self.said(states, mask, 1.0)["seconds"]}

    def said(self, states: Tensor, mask: Tensor, speed: float) -> dict[str, Tensor]:
        frames, steps = spoken(self.decoder, states, mask, max(1, _MOST // self.least))
        durations = steps * self.least
        real = torch.arange(frames.shape[1], device=frames.device)[None] < durations.sum(1, keepdim=True)
        frames = self.postnet(frames, real) * self.deviation + self.mean
        frames, path, lasting = at_speed(frames, path_of(durations, frames.shape[1]), durations.sum(1), speed)
        real = torch.arange(frames.shape[1], device=frames.device)[None] < lasting[:, None]
        durations = torch.zeros_like(durations).scatter_add_(1, path, real.long())
        seconds = lasting.double() * self.seconds
        return {"seconds": seconds, "frames": zeroed(frames, real), "real": real, "durations": durations}


def path_of(durations: Tensor, longest: int) -> Tensor:
    """`durations (B, N)` -> `(B, longest)` int64: the unit of each place, behind the end the last that has any."""
    last = (durations > 0).long().cumsum(1).argmax(1, keepdim=True)
    place = torch.arange(longest, device=durations.device)[None, :, None]
    return (place >= durations.cumsum(1)[:, None]).sum(2).minimum(last)


def turning(onward: Tensor, durations: Tensor) -> Tensor:
    """`onward (B, S)`, logits of a step being its unit's last, and the `durations (B, N)` in steps that were -> `(B,)` float64: minus the log of the chance of these."""
    place = torch.arange(onward.shape[1], device=onward.device)[None, :, None]
    last = (place == durations.cumsum(1)[:, None] - 1).any(2)
    each = nn.functional.binary_cross_entropy_with_logits(onward.double(), last.double(), reduction="none")
    return each.masked_fill(place[..., 0] >= durations.sum(1, keepdim=True), 0.0).sum(1)


def at_speed(frames: Tensor, path: Tensor, lasting: Tensor, speed: float) -> tuple[Tensor, Tensor, Tensor]:
    """`frames (B, T, M)`, the unit `path (B, T)` of each and how many are real, `lasting (B,)`, as if they were said `speed` times as fast: between two frames what lies on
    the line between them, so that the pitch stays."""
    if speed == 1:
        return frames, path, lasting
    shorter = (lasting / speed).round().long().clamp_min(1)
    place = (torch.arange(int(shorter.max()), device=frames.device) + 0.5) * speed - 0.5
    place = place[None].clamp_min(0).minimum(lasting[:, None] - 1)
    below, share = place.long(), place.frac()[..., None]
    above = (below + 1).minimum(lasting[:, None] - 1)
    rows = torch.arange(len(frames), device=frames.device)[:, None]
    return frames[rows, below] * (1 - share) + frames[rows, above] * share, path[rows, place.round().long()], shorter
