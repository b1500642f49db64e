"""Critics that tell recorded samples from made ones, each by spectra of one resolution.

Shapes: B rows, S samples, T frames, F frequencies, C channels of a layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from zhuji.nn.sounds.spectra import stft

_SLOPE = 0.1
_LAYERS = (((3, 9), (1, 2)), ((3, 5), (1, 2)), ((3, 5), (1, 2)), ((3, 3), (1, 1)))
"""Windows and strides, in frames and frequencies."""

Judged = tuple[Tensor, list[Tensor]]
"""Scores `(B, 1, T', F')`, and what each layer made, `(B, C, T', F')`."""


class Critic(nn.Module):
    """Real and imaginary parts of a spectrum through convolutions whose strides pool frequencies (Defossez et al. 2022, EnCodec, section 3.4)."""

    def __init__(self, length: int, hop: int, channels: int) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        self.layers, inputs = nn.ModuleList(), 2
        for window, stride in _LAYERS:
            self.layers.append(_convolution(inputs, channels, window, stride))
            inputs = channels
        self.score = _convolution(channels, 1, (3, 3), (1, 1))

    def forward(self, samples: Tensor) -> Judged:
        spectra = stft(samples.float(), self.length, self.hop, self.length)
        states, kept = torch.stack((spectra.real, spectra.imag), 1), list[Tensor]()
        for layer in self.layers:
            states = leaky_relu(layer(states), _SLOPE)
            kept.append(states)
        return self.score(states), kept


class Critics(nn.Module):
    """One for each resolution."""

    def __init__(self, resolutions: Sequence[tuple[int, int]], channels: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(Critic(length, hop, channels) for length, hop in resolutions)

    def forward(self, samples: Tensor) -> list[Judged]:
        return [critic(samples) for critic in self.each]


def told_apart(real: Sequence[Judged], made: Sequence[Judged]) -> Tensor:
    """`(B,)`: what critics minimise, squares of D(real) - 1 and of D(made), mean over scores and critics (Mao et al. 2017, LSGAN, equation 9)."""
    return _over(
        _mean((1 - one[0].float()).square()) + _mean(other[0].float().square()) for one, other in zip(real, made, strict=True)
    )


def taken_for_recorded(made: Sequence[Judged]) -> Tensor:
    """`(B,)`: what the maker minimises, squares of D(made) - 1."""
    return _over(_mean((1 - one[0].float()).square()) for one in made)


def features_apart(real: Sequence[Judged], made: Sequence[Judged]) -> Tensor:
    """`(B,)`: how far the critics' layers are apart, each as a share of how much it says of what is real (feature matching; Defossez et al. 2022, equation 2)."""
    return _over(
        _over(
            _mean((one.float() - other.float()).abs()) / _mean(one.float().abs()).clamp_min(1e-6)
            for one, other in zip(theirs, ours, strict=True)
        )
        for (_, theirs), (_, ours) in zip(real, made, strict=True)
    )


def _mean(of: Tensor) -> Tensor:
    return of.flatten(1).mean(1)


def _over(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean(0)


def _convolution(inputs: int, outputs: int, window: tuple[int, int], stride: tuple[int, int]) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, window, stride, padding=(window[0] // 2, window[1] // 2))
    nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
