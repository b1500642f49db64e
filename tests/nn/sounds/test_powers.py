from __future__ import annotations

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from zhuji.nn.latent import divergence
from zhuji.nn.sounds.powers import Powers, Told, itakura_saito
from zhuji.nn.sounds.waves import FLOOR


def spectra(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_itakura_saito_is_that_of_its_authors() -> None:
    found, logs = spectra(0, 2, 3, 5), torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    power = found.abs().double().numpy() ** 2 + FLOOR
    ratio = power / np.exp(logs.double().numpy())
    wanted = (ratio - np.log(ratio) - 1).sum(-1)
    torch.testing.assert_close(itakura_saito(found, logs).double(), torch.from_numpy(wanted), atol=1e-4, rtol=1e-5)
    assert (itakura_saito(found, (found.abs().square() + FLOOR).log()).abs() < 1e-5).all()


def test_it_is_a_likelihood_of_complex_gaussians() -> None:
    """Up to what the variance does not change: real and imaginary part have half of it each."""
    found, logs = spectra(0, 1, 4, 6), torch.linspace(-2, 2, 24).view(1, 4, 6)
    half = Normal(torch.zeros(()), (logs.exp() / 2).sqrt())
    surprise = -(half.log_prob(found.real) + half.log_prob(found.imag)).sum(-1)
    best = Normal(torch.zeros(()), (found.abs().square() / 2).sqrt())
    least = -(best.log_prob(found.real) + best.log_prob(found.imag)).sum(-1)
    torch.testing.assert_close(itakura_saito(found, logs), surprise - least, atol=2e-3, rtol=1e-3)  # but for FLOOR


def test_hidden_numbers_are_drawn_around_their_mean() -> None:
    torch.manual_seed(0)
    powers = Powers(6, 3, 5).eval()
    states = torch.randn(2, 4, 6)
    settled = powers(states, None)
    assert settled.mean.shape == (2, 4, 3) and settled.speech.shape == settled.noise.shape == (2, 4, 5)
    drawn = torch.randn(2, 4, 3)
    hidden = Normal(settled.mean, (0.5 * settled.log_variance).exp())
    wanted = powers.decoder(hidden.mean + hidden.stddev * drawn).chunk(2, -1)
    found = powers(states, drawn)
    torch.testing.assert_close(found.speech, wanted[0])
    torch.testing.assert_close(found.noise, wanted[1])
    whole = kl_divergence(hidden, Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(divergence(found.mean, found.log_variance), whole, atol=1e-5, rtol=1e-4)


def test_the_odds_are_those_of_the_wiener_filter() -> None:
    """Brute force: of draws of speech and noise of such powers no gain leaves less of an error."""
    chance = torch.Generator().manual_seed(0)
    speech, noise = torch.tensor([[[0.5]]]), torch.tensor([[[-0.7]]])
    gain = Told(speech, speech, speech, noise).odds.sigmoid().item()
    power = [level.exp().item() for level in (speech, noise)]
    assert abs(gain - power[0] / (power[0] + power[1])) < 1e-6
    said, rest = (torch.randn(200_000, dtype=torch.complex128, generator=chance) * level**0.5 for level in power)
    gains = torch.linspace(0, 1, 101)
    errors = torch.stack([(said - share * (said + rest)).abs().square().mean() for share in gains])
    assert abs(gains[errors.argmin()].item() - gain) < 0.011  # steps of 0.01, and 0.003 of chance


def test_numbers_stay_finite_however_far_states_lie() -> None:
    torch.manual_seed(0)
    powers = Powers(4, 20, 30)
    torch.nn.init.normal_(powers.decoder[2].weight, std=1e6)
    found = powers(1e6 * torch.randn(1, 2, 4), torch.randn(1, 2, 20))
    for of in (found.log_variance, found.speech, found.noise):
        assert of.min() == -20 and of.max() == 20
    loss = itakura_saito(spectra(0, 1, 2, 30), found.speech).sum() + divergence(found.mean, found.log_variance).sum()
    assert loss.isfinite()
