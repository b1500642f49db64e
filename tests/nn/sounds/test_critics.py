from __future__ import annotations

import torch
import torch.nn.functional as F

from zhuji.nn.sounds import critics
from zhuji.nn.sounds.critics import Critic, Critics


def judged(scale: float) -> list[critics.Judged]:
    torch.manual_seed(0)
    both = Critics(((64, 16), (32, 8)), 3)
    return both(scale * torch.randn(2, 200, generator=torch.Generator().manual_seed(1)))


def test_each_critic_sees_a_spectrum_of_its_own_resolution() -> None:
    for (score, layers), (frames, frequencies) in zip(judged(1.0), ((13, 33), (26, 17)), strict=True):
        assert layers[0].shape == (2, 3, frames, (frequencies + 1) // 2)
        assert score.shape[:2] == (2, 1) and score.shape[2] == frames and len(layers) == 4


def test_a_critic_is_torchs_spectrum_through_its_layers() -> None:
    torch.manual_seed(0)
    critic, samples = Critic(64, 16, 3), torch.randn(2, 200)
    spectra = torch.stft(samples, 64, 16, window=torch.hann_window(64), pad_mode="constant", return_complex=True).mT
    states, kept = torch.view_as_real(spectra).permute(0, 3, 1, 2), list[torch.Tensor]()
    score, layers = critic(samples)
    weights = list(critic.parameters())
    for place, (stride, reach) in enumerate(((2, 4), (2, 2), (2, 2), (1, 1))):
        states = F.conv2d(states, weights[2 * place], weights[2 * place + 1], (1, stride), (1, reach))
        states = states.maximum(0.1 * states)
        kept.append(states)
    torch.testing.assert_close(layers, kept)
    torch.testing.assert_close(score, F.conv2d(states, weights[8], weights[9], padding=1))


def test_what_players_minimise_is_written_out() -> None:
    real, made = judged(1.0), judged(0.1)
    scores = [
        [torch.cat([one[0][row].flatten() for one in [part]]) for part in found] for found in (real, made) for row in range(2)
    ]
    for row in range(2):
        theirs, ours = scores[row], scores[2 + row]
        apart = sum(((1 - a) ** 2).mean() + (b**2).mean() for a, b in zip(theirs, ours, strict=True)) / 2
        fooled = sum(((1 - b) ** 2).mean() for b in ours) / 2
        torch.testing.assert_close(critics.told_apart(real, made)[row], apart)
        torch.testing.assert_close(critics.taken_for_recorded(made)[row], fooled)


def test_layers_that_agree_cost_nothing_and_a_share_is_one() -> None:
    real = judged(1.0)
    assert not critics.features_apart(real, real).any()
    silent = [(score, [torch.zeros_like(layer) for layer in layers]) for score, layers in real]
    torch.testing.assert_close(critics.features_apart(real, silent), torch.ones(2))
