"""Speakers: states of a text to frames of sound, by durations or by attention, while they learn from recordings and while they speak.

Shapes: B rows, N units, D width of a unit's state, T frames, M mel bands, S steps of R frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from zhuji.nn.acoustic import Aligner, Durations, Sounding, deviance
from zhuji.nn.alignment import NEVER, best_path, diagonal, forward_sum, spread, visited
from zhuji.nn.attending import AttentiveDecoder, PostNet, spoken
from zhuji.nn.layers import embedding, zeroed

_MOST = 200
"""Frames of one unit at most, before the speed is changed."""
_ROOM = 24
"""Frames for each unit, on average over a text, for which there is room: in a graph that is written for another program, and where a decoder does not stop by itself."""
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
        """`seconds (B,)` float64; `frames (B, T, M)` as they are heard, which of them are `real (B, T)`, `durations` and `again (B, N)`: see `core.voices.Said`."""


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
        return {"seconds": seconds, "frames": heard, "real": real, "durations": durations, "again": torch.zeros_like(durations)}

    def _lasting(self, logs: Tensor, mask: Tensor) -> Tensor:
        """Frames of each unit, `(B, N)` float64, not rounded."""
        return logs.double().exp().clamp_max(_MOST).masked_fill(mask.logical_not(), 0.0)


class ByAttention(Speaker):
    """One group of frames after the other, attending to the text (Wang et al. 2017, Tacotron; Shen et al. 2018, Tacotron 2). Attention learns by the sum over all monotonic
    alignments, as that of durations does (Badlani et al. 2021, section 2.2), and when to stop by how likely the recording's number of steps is."""

    def __init__(
        self, dim: int, speakers: int, scale: tuple[Tensor, Tensor], seconds: float, *,
        width: int, layers: int, group: int, prenet: int, forget: float, noise: float, window: int, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(dim, speakers, scale, seconds)
        self.least = group
        self.decoder = AttentiveDecoder(
            dim, width, len(scale[0]), group=group, prenet=prenet, dropout=forget, layers=layers, window=window, noise=noise
        )
        self.postnet = PostNet(len(scale[0]), max(1, width // 2), _POSTNET, dropout)

    def _learned(self, states: Tensor, mask: Tensor, frames: Tensor, real: Tensor) -> dict[str, Tensor]:
        units, lasting, group = mask.sum(1), real.sum(1), self.least
        steps = -(-lasting // group)
        whole = nn.functional.pad(frames, (0, 0, 0, -frames.shape[1] % group))
        heard = self.decoder.taught(states, mask, whole)
        drafted = heard.frames[:, : frames.shape[1]]
        wrong = off(self.postnet(drafted, real), frames, real)
        told = {
            "error": wrong + off(drafted, frames, real), "wrong": wrong, "timing": stopping(heard.stops, steps),
            "apart": apart(heard.energies, steps, units), "seconds": lasting * self.seconds,
        }  # fmt: skip
        if self.training:
            return told
        # How long it speaks and what it leaves out shows only where nobody prompts.
        free = self.said(states, mask, 1.0)
        skipped = ((free["durations"] == 0) & mask).sum(1)
        return {**told, "seconds": free["seconds"], "skipped": skipped, "repeated": (free["again"] > 0).sum(1), "units": units}

    def said(self, states: Tensor, mask: Tensor, speed: float) -> dict[str, Tensor]:
        frames, lasting, weights = spoken(self.decoder, states, mask, max(1, _ROOM // self.least))
        place = torch.arange(frames.shape[1], device=frames.device)[None]
        frames = self.postnet(frames, place < lasting[:, None]) * self.deviation + self.mean
        path = weights.argmax(2).repeat_interleave(self.least, 1)
        frames, path, lasting = at_speed(frames, path, lasting, speed)
        real = torch.arange(frames.shape[1], device=frames.device)[None] < lasting[:, None]
        durations, again = visited(path, real, mask.shape[1])
        seconds = lasting.double() * self.seconds
        return {"seconds": seconds, "frames": zeroed(frames, real), "real": real, "durations": durations, "again": again}


def apart(energies: Tensor, steps: Tensor, units: Tensor) -> Tensor:
    """`energies (B, S, N)` of which a row has `steps` and `units (B,)` -> `(B,)` float64: minus the log of the sum over all monotonic alignments, near the diagonal at first
    (Badlani et al. 2021, sections 2.1 and 2.3)."""
    log_p = energies.log_softmax(2).clamp_min(NEVER) + diagonal(steps, units, (energies.shape[1], energies.shape[2]))
    return forward_sum(log_p.clamp_min(NEVER), steps, units)


def stopping(stops: Tensor, steps: Tensor) -> Tensor:
    """`stops (B, S)`, logits of a step being the last, and the `steps (B,)` that were -> `(B,)` float64: minus the log of the chance to go on until then, and to stop then."""
    place = torch.arange(stops.shape[1], device=stops.device)[None]
    last = (place == steps[:, None] - 1).double()
    each = nn.functional.binary_cross_entropy_with_logits(stops.double(), last, reduction="none")
    return each.masked_fill(place >= steps[:, None], 0.0).sum(1)


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
