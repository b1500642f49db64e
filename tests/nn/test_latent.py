import torch
import torch.nn.functional as F
from torch import distributions, nn

from zhuji.nn import latent


def test_the_divergence_is_that_of_torch() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    where = distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = distributions.kl_divergence(where, distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(latent.divergence(mean, log_variance), expected)


def test_the_surprise_is_that_of_torch() -> None:
    torch.manual_seed(0)
    values, guess, log_deviation = torch.randn(4, 2, 3, 1), torch.randn(4, 2, 3, 1), torch.tensor(-0.3)
    expected = -distributions.Normal(guess, log_deviation.exp()).log_prob(values).flatten(1).sum(1)
    torch.testing.assert_close(latent.surprise(values, guess, log_deviation), expected)


def test_the_bound_lies_below_the_likelihood_and_reaches_it_at_the_true_posterior() -> None:
    """x = z + noise of deviation s, one number each: p(x) and p(z | x) are known."""
    torch.manual_seed(0)
    s, x = 0.5, torch.randn(20_000, 1).expand(-1, 1) * (1 + 0.5**2) ** 0.5
    likelihood = distributions.Normal(0.0, (1 + s**2) ** 0.5).log_prob(x).mean()

    def bound(share: float, variance: float) -> torch.Tensor:
        mean, log_variance = share * x, torch.full_like(x, variance).log()
        z = mean + variance**0.5 * torch.randn_like(x)
        return (-latent.surprise(x, z, torch.tensor(s).log()) - latent.divergence(mean, log_variance)).mean()

    exact = bound(1 / (1 + s**2), s**2 / (1 + s**2))
    torch.testing.assert_close(exact, likelihood, rtol=0, atol=0.02)
    assert bound(0.5, 0.5) < likelihood - 0.1


def test_both_players_losses_are_those_of_the_paper() -> None:
    real, made = torch.tensor([0.3, -2.0]), torch.tensor([1.0, -0.5])
    ones, zeros = torch.ones(2), torch.zeros(2)
    apart = F.binary_cross_entropy_with_logits(real, ones, reduction="none") + F.binary_cross_entropy_with_logits(
        made, zeros, reduction="none"
    )
    torch.testing.assert_close(latent.judged_apart(real, made), apart)
    torch.testing.assert_close(latent.taken_for_real(made), -torch.log(torch.sigmoid(made)))


def test_steepness_is_the_squared_gradient_of_each_row_and_can_be_learned_from() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(6, 4), nn.Linear(4, 1)

    def score(values: torch.Tensor) -> torch.Tensor:
        return second(torch.tanh(first(values.flatten(1))))[:, 0]

    values = torch.randn(3, 2, 3)
    scores, found = latent.steepness(score, values)
    torch.testing.assert_close(scores, score(values))
    hidden = torch.tanh(first(values.flatten(1)))
    by_hand = ((second.weight * (1 - hidden**2)) @ first.weight).square().sum(1)
    torch.testing.assert_close(found, by_hand)
    by_us = torch.autograd.grad(found.sum(), first.weight)[0]
    torch.testing.assert_close(by_us, torch.autograd.grad(by_hand.sum(), first.weight)[0])
    assert not values.requires_grad
