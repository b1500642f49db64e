"""Convolution along a sequence that padding cannot reach. Shapes: B rows, T units, D channels in, C channels out."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.nn.layers import zeroed


class MaskedConv1d(nn.Module):
    """`(B, T, D)` -> `(B, ceil(T / stride), C)`. Padding is read and left as zero. With `causal`, unit i reads units
    i - (width - 1) * dilation … i; otherwise the window is centred, and of an even window the larger half lies ahead. Of every `stride` units the first
    is kept. `groups`: channels that see each other stand in one group."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        *,
        causal: bool = False,
        dilation: int = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv1d(inputs, outputs, width, stride, dilation=dilation, groups=groups)
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)
        reach = (width - 1) * dilation
        behind = reach if causal else reach // 2
        self.margins = (behind, reach - behind)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        inputs = F.pad(zeroed(states, mask).transpose(1, 2), self.margins)
        return zeroed(self.conv(inputs).transpose(1, 2), mask[:, :: self.stride])
