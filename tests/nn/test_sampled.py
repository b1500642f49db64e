"""Raw samples to states, against torch's own convolutions and norms, row by row."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from zhuji.nn.sampled import ConvolvedPositions, RowNorm, SampledFrames, field_of, within

WINDOWS = [(4, 5, 3), (6, 3, 2)]
"""Channels, units and stride."""


def frames(norms: str) -> SampledFrames:
    torch.manual_seed(0)
    made = SampledFrames(WINDOWS, 8, bias=True, norms=norms, eps=1e-5, dropout=0.0)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made.eval()


def by_hand(made: SampledFrames, samples: torch.Tensor, norms: str) -> torch.Tensor:
    """`(S,)` -> `(T, D)`."""
    x = samples[None, None]
    for number, layer in enumerate(made.layers):
        x = F.conv1d(x, layer.conv.weight, layer.conv.bias, layer.stride)
        if norms == "group" and not number:
            x = F.group_norm(x, x.shape[1], layer.norm.weight, layer.norm.bias)
        if norms == "layer":
            x = F.layer_norm(x.mT, x.shape[1:2], layer.norm.weight, layer.norm.bias).mT
        x = F.gelu(x)
    return made.map(made.norm(x[0].T))


@pytest.mark.parametrize("norms", ["group", "layer"])
def test_each_row_is_what_torch_makes_of_it_alone(norms: str) -> None:
    made, lengths = frames(norms), [40, 23, 11, 12, 24]
    assert made.field == 11
    samples = torch.randn(5, 44)
    states, mask = made(samples[..., None], within(torch.tensor(lengths), 44))
    assert mask.sum(1).tolist() == [(length - 11) // 6 + 1 for length in lengths]
    for row, length in enumerate(lengths):
        torch.testing.assert_close(states[row][mask[row]], by_hand(made, samples[row, :length], norms), rtol=1e-5, atol=1e-5)
    assert not states[~mask].any()


def test_a_row_shorter_than_the_field_is_filled_with_silence_and_an_empty_one_stays_empty() -> None:
    made, samples = frames("layer"), torch.randn(3, 6)
    states, mask = made(samples[..., None], within(torch.tensor([6, 1, 0]), 6))
    assert mask.tolist() == [[True], [True], [False]] and not states[2].any()
    for row, length in ((0, 6), (1, 1)):
        filled = F.pad(samples[row, :length], (0, 11 - length))
        torch.testing.assert_close(states[row], by_hand(made, filled, "layer"), rtol=1e-5, atol=1e-5)


def test_a_norm_over_a_row_is_a_group_norm_of_its_real_frames() -> None:
    made = RowNorm(3)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        made.bias.copy_(torch.tensor([0.5, 0.0, -1.0]))
    states, mask = torch.randn(2, 7, 3) * 4 + 5, within(torch.tensor([7, 4]), 7)
    found = made(states, mask)
    for row, length in ((0, 7), (1, 4)):
        expected = F.group_norm(states[row, :length].T[None], 3, made.weight, made.bias)[0].T
        torch.testing.assert_close(found[row, :length], expected, rtol=1e-5, atol=1e-5)
    assert not found[1, 4:].any()


@pytest.mark.parametrize("window", [1, 4, 5])
def test_the_larger_half_of_an_even_window_lies_behind(window: int) -> None:
    places = ConvolvedPositions(4, window, 2)
    states = torch.randn(1, 9, 4, requires_grad=True)
    (slope,) = torch.autograd.grad((places(states, torch.ones(1, 9, dtype=torch.bool)) - states)[0, 4].sum(), states)
    assert slope[0].any(-1).nonzero().flatten().tolist() == list(range(4 - window // 2, 4 - window // 2 + window))


def test_padding_is_silent_for_positions() -> None:
    places = ConvolvedPositions(4, 4, 2)
    states, mask = torch.randn(1, 9, 4), within(torch.tensor([5]), 9)
    alone = places(states[:, :5], mask[:, :5])
    torch.testing.assert_close(places(states, mask)[:, :5], alone)


def test_the_field_of_wav2vec2_is_25_milliseconds() -> None:
    assert field_of([(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)]) == 400
