"""Attention for accelerators: a kernel is told where each document begins, and computes nothing between documents (Dao 2023, FlashAttention-2).

A mask says it too, but then every pair of units of a row is computed and most are thrown away. Here the units of all rows stand one behind
the other, each document in one piece, and every unit belongs to one span: documents are spans, and so is the padding of a row, whose
states stay finite and are nobody's business. The order is settled once for all layers.

Shapes: B rows, T units of a row, N spans, H heads, G key heads (H is a multiple of G), E width of a head.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zhuji.core.log import in_language, say

_DEVICES = ("cuda",)
_BOUNDS = {torch.bfloat16: 0.02, torch.float16: 0.005}
"""Types that the kernel knows, and how far its answers and gradients may be from float32 (2-norm of the difference over that of the answer).
A processor's kernels are off by 0.004 and 0.0005 in the trial; one of its 148 units at twice its answer makes 0.18."""
_LENGTHS = (0, 129, 1, 18, 0, 0)
"""Documents of the trial: none, more than a tile of the kernel holds, one unit, a few."""
_PADDING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Spans:
    """Which units of a batch see each other: those of one span; with `causal` a unit sees itself and those before it.

    `order (B, T)` int64: from where in its row each unit comes, `back (B, T)` where it returns to; `bounds (M + 1,)` int32, M >= N: where
    spans begin among the B * T units, then B * T; no span is longer than `longest`; `kind`: what the kernel computes in.
    """

    order: Tensor
    back: Tensor
    bounds: Tensor
    longest: int
    causal: bool
    kind: torch.dtype

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """`query (B, H, T, E)`, `key` and `value (B, G, T, E)`, of arranged units -> `(B, H, T, E)`."""
        shared = query.shape[1] // key.shape[1]
        flat = (part.transpose(1, 2).flatten(0, 1).to(self.kind) for part in (query, key, value))
        query_, *others = flat
        key_, value_ = (part if shared == 1 else part.repeat_interleave(shared, 1) for part in others)
        out = _kernel(query_, key_, value_, self.bounds, longest=self.longest, causal=self.causal)
        return out.to(query.dtype).unflatten(0, self.order.shape).transpose(1, 2)


def spans(states: Tensor, mask: Tensor, segments: Tensor | None, *, causal: bool, head_dim: int) -> Spans | None:
    """The spans of `mask (B, T)` and `segments (B, T)`, where a kernel for them serves `states` and can be trusted; else None, and a mask has
    to do: on processors, in float32, where the kernel is missing, and where it was wrong in its trial."""
    place = states.device.type
    autocast = torch.is_autocast_enabled(place)
    kind = torch.get_autocast_dtype(place) if autocast else states.dtype
    if place not in _DEVICES or kind not in _BOUNDS or mask.numel() == 0:
        return None
    return _tried(mask, segments, causal, kind, head_dim)  # pyright: ignore[reportCallIssue]


def arranged(states: Tensor, order: Spans | None) -> Tensor:
    """`states (B, T)` or `(B, T, D)` in the order of the spans; as they are where there are none."""
    return states if order is None else _reordered(states, order.order)


def put_back(states: Tensor, order: Spans | None) -> Tensor:
    """What `arranged` did, undone."""
    return states if order is None else _reordered(states, order.back)


def _reordered(states: Tensor, order: Tensor) -> Tensor:
    index = order if states.ndim == 2 else order[..., None].expand_as(states)
    return states.gather(1, index)


@torch.compiler.disable  # the trial is no part of a graph, nor is the number of documents
def _tried(mask: Tensor, segments: Tensor | None, causal: bool, kind: torch.dtype, head_dim: int) -> Spans | None:
    return cut(mask, segments, causal, kind) if trusted(mask.device, kind, head_dim) else None


def cut(mask: Tensor, segments: Tensor | None, causal: bool, kind: torch.dtype) -> Spans:
    """A row without `segments` is one document. With them the device is asked once how many documents there are."""
    rows, units = mask.shape
    padding = mask.logical_not()
    owner = padding.long() if segments is None else segments.masked_fill(padding, _PADDING)
    owner, order = owner.sort(dim=1, stable=True)
    if segments is None:
        first = torch.arange(rows, device=mask.device) * units
        begins = torch.stack((first, first + mask.sum(1)), 1).flatten()
    else:
        begins = F.pad(owner[:, 1:] != owner[:, :-1], (1, 0), value=True).flatten().nonzero()[:, 0]
    # Spans of no units fill up to a power of two: few shapes, which allocators and compiled graphs remember (decision 6).
    filled = 1 << (len(begins) - 1).bit_length()
    bounds = F.pad(begins, (0, filled + 1 - len(begins)), value=rows * units).int()
    return Spans(order, order.argsort(1), bounds, units, causal, kind)


def _kernel(query: Tensor, key: Tensor, value: Tensor, bounds: Tensor, *, longest: int, causal: bool) -> Tensor:
    """`(units, H, E)` each -> `(units, H, E)`."""
    from torch.nn.attention.varlen import varlen_attn  # where it is missing, the trial says so

    window = (-1, 0) if causal else (-1, -1)
    return varlen_attn(query, key, value, bounds, bounds, longest, longest, window_size=window)  # pyright: ignore[reportReturnType]


@functools.cache
def trusted(device: torch.device, kind: torch.dtype, head_dim: int) -> bool:
    """Whether the kernel runs on this device and agrees with the plain formula, forwards and backwards. Tried once in a process; where not, a
    line says why. Draws nothing from torch's random state."""
    try:
        error = _deviation(device, kind, head_dim)
    except Exception as problem:  # noqa: BLE001 - whatever a kernel fails with is said, and there are masks
        reason = f"{type(problem).__name__}: {str(problem).strip().partition(chr(10))[0]}"
    else:
        if error <= _BOUNDS[kind]:  # not so where it is not a number
            return True
        reason = in_language(
            f"it is off by {error:.2g}, more than {_BOUNDS[kind]}", f"误差为 {error:.2g}，超过 {_BOUNDS[kind]}"
        )
    name = str(kind).removeprefix("torch.")
    say(in_language(
        f"Attention uses masks on {device} ({name}, heads of {head_dim}); the kernel for documents of any length is not used: {reason}",
        f"在 {device} 上注意力改用掩码（{name}，每头宽度 {head_dim}）；未使用变长文档内核：{reason}",
    ))  # fmt: skip
    return False


@torch.inference_mode(False)
@torch.enable_grad()
def _deviation(device: torch.device, kind: torch.dtype, head_dim: int) -> float:
    """The largest of the differences from float32: of the answer and the three gradients, with and without direction."""
    chance, lengths = torch.Generator().manual_seed(0), torch.tensor(_LENGTHS)
    units = int(lengths.sum())
    *given, pull = (torch.randn(units, 2, head_dim, generator=chance).to(device, kind) for _ in range(4))
    bounds = F.pad(lengths.cumsum(0), (1, 0)).to(device, torch.int32)
    owner = torch.arange(len(lengths)).repeat_interleave(lengths).to(device)
    together = owner[:, None] == owner
    errors: list[Tensor] = []
    for causal in (False, True):
        may_see = together.tril() if causal else together
        low = [part.clone().requires_grad_() for part in given]
        high = [part.float().detach().requires_grad_() for part in given]
        with torch.autocast(device.type, enabled=False):
            got = _kernel(low[0], low[1], low[2], bounds, longest=units, causal=causal)
            wanted = F.scaled_dot_product_attention(*(part.transpose(0, 1) for part in high), attn_mask=may_see).transpose(0, 1)
            back = zip(torch.autograd.grad(got, low, pull), torch.autograd.grad(wanted, high, pull.float()), strict=True)
        errors += [(one.float() - other).norm() / other.norm() for one, other in [(got.detach(), wanted.detach()), *back]]
    return float(torch.stack(errors).max())
