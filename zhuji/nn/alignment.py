"""Which frames a unit of a text is said in, learned without anybody telling: a unit has one run of frames, at least one, in the order of the text.

Badlani et al. 2021, One TTS Alignment To Rule Them All. Shapes: B rows, T frames, N units; `frames (B,)` and `units (B,)` are how many of each a row
has, the real ones in front, and no row has more units than frames.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

NEVER = -1e4
"""Log-probability of what cannot be: finite, so that no slope becomes NaN, and zero once it is a probability."""


@torch.no_grad()
def diagonal(frames: Tensor, units: Tensor, shape: tuple[int, int], sharpness: float = 1.0) -> Tensor:
    """`(B, T, N)` float32 of `shape` (T, N): log-probability of a unit in a frame before anything was heard, near the diagonal: a beta-binomial distribution
    (Shih et al. 2021, RAD-TTS, section 2.2). `sharpness`: the larger, the closer to it. NEVER outside of a row."""
    length, count = frames.clamp_min(1).double()[:, None, None], units.clamp_min(1).double()[:, None, None]
    time = torch.arange(1, shape[0] + 1, dtype=torch.float64, device=frames.device)[None, :, None].minimum(length)
    place = torch.arange(shape[1], dtype=torch.float64, device=frames.device)[None, None].minimum(count - 1)
    rising, falling = sharpness * time, sharpness * (length - time + 1)
    chosen = torch.lgamma(count) - torch.lgamma(place + 1) - torch.lgamma(count - place)
    here = torch.lgamma(place + rising) + torch.lgamma(count - 1 - place + falling) - torch.lgamma(count - 1 + rising + falling)
    whole = torch.lgamma(rising) + torch.lgamma(falling) - torch.lgamma(rising + falling)
    return (chosen + here - whole).float().masked_fill(_outside(frames, units, shape), NEVER)


def _outside(frames: Tensor, units: Tensor, shape: tuple[int, int]) -> Tensor:
    """`(B, T, N)`: not in the row's own rectangle."""
    beyond = torch.arange(shape[0], device=frames.device)[None, :, None] >= frames[:, None, None]
    return beyond | (torch.arange(shape[1], device=frames.device)[None, None] >= units[:, None, None])


def forward_sum(log_p: Tensor, frames: Tensor, units: Tensor) -> Tensor:
    """`log_p (B, T, N)`: how likely a frame is in a unit, normalised or not -> `(B,)` float64: minus the log of the sum over all alignments (section 2.1;
    Rabiner 1989).

    It is CTC's sum over a text whose letters all differ, with a blank that is never said, so that torch's kernel computes it; that kernel's slope is right
    for what adds up to one, so the rest is taken out before. In float64, for the sum over the rows of a batch must not depend on its padding.
    """
    wide = log_p.double()
    whole = wide.logsumexp(2)
    padded = F.pad(wide.log_softmax(2), (1, 0), value=NEVER).transpose(0, 1)
    names = torch.arange(1, log_p.shape[2] + 1, device=log_p.device).expand(log_p.shape[0], -1)
    real = torch.arange(log_p.shape[1], device=log_p.device)[None] < frames[:, None]
    return F.ctc_loss(padded, names, frames, units, blank=0, reduction="none") - whole.masked_fill(~real, 0.0).sum(1)


@torch.no_grad()
def best_path(log_p: Tensor, frames: Tensor, units: Tensor) -> Tensor:
    """`(B, N)` int64: frames of each unit on the likeliest alignment (Kim et al. 2020, Glow-TTS, algorithm 1). All are zero of a row whose units do not fit."""
    scores = log_p.float().cpu().numpy()
    rows, longest, most = scores.shape
    length, count = frames.cpu().numpy(), units.cpu().numpy()
    moved = np.zeros((longest, rows, most), bool)
    best = np.full((rows, most), -np.inf, np.float32)
    best[:, 0] = scores[:, 0, 0]
    for time in range(1, longest):
        before = np.pad(best[:, :-1], ((0, 0), (1, 0)), constant_values=-np.inf)
        moved[time] = before > best
        best = np.maximum(before, best) + scores[:, time]
    return torch.from_numpy(_traced(moved, length, count)).to(log_p.device)


def _traced(moved: np.ndarray, length: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Back from each row's last frame and unit: `(B, N)` int64."""
    longest, rows, most = moved.shape
    found, every = np.zeros((rows, most), np.int64), np.arange(rows)
    fits = (length >= count) & (count > 0)
    at = np.maximum(count - 1, 0)
    for time in range(longest - 1, -1, -1):
        inside = fits & (time < length)
        found[every[inside], at[inside]] += 1
        at = at - (inside & moved[time, every, at])
    return found


def spread(states: Tensor, durations: Tensor, longest: int) -> tuple[Tensor, Tensor, Tensor]:
    """The length regulator (Ren et al. 2019, FastSpeech, section 3.2): `states (B, N, D)`, `durations (B, N)` int64 -> each state as often as its unit has frames,
    `(B, T, D)` with T = `longest`; how far a frame lies in its unit and for how long that is said, `(B, T, 2)`; and which frames are real, `(B, T)`."""
    ends = durations.cumsum(1)
    time = torch.arange(longest, device=states.device)
    real = time[None] < ends[:, -1:]
    owner = (time[None, :, None] >= ends[:, None]).sum(2).clamp_max(states.shape[1] - 1)
    size = durations.gather(1, owner).clamp_min(1)
    begun = (ends - durations).gather(1, owner)
    place = torch.stack(((time[None] - begun + 0.5) / size, size.float().log()), 2)
    real_too = real.unsqueeze(2)
    told = states.gather(1, owner[..., None].expand(-1, -1, states.shape[2]))
    return told.masked_fill(~real_too, 0.0), place.masked_fill(~real_too, 0.0), real
