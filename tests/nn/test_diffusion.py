import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from zhuji.nn.diffusion import Noising, Telling, guided

COURSES = [Noising(course, 50, guess) for course in ("cosine", "linear") for guess in ("velocity", "noise")]
MEAN, DEVIATION = 1.5, 0.4


@pytest.mark.parametrize("noising", COURSES)
def test_everything_is_left_at_first_and_less_at_every_step(noising: Noising) -> None:
    assert noising.left.shape == (51,) and noising.left[0] == 1
    assert (noising.left.diff() < 0).all() and 0 <= noising.left[-1] < 1e-3


def test_the_linear_course_is_that_of_the_paper() -> None:
    shares = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    expected = torch.tensor([float(torch.prod(1 - shares[:t])) for t in (0, 1, 500, 1000)])
    torch.testing.assert_close(Noising("linear", 1000, "noise").left[[0, 1, 500, 1000]], expected, rtol=1e-5, atol=1e-9)


def test_the_cosine_course_is_that_of_the_paper() -> None:
    def whole(t: int) -> float:
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    left = Noising("cosine", 1000, "noise").left
    assert [left[t].item() for t in (1, 250, 900)] == pytest.approx([whole(t) / whole(0) for t in (1, 250, 900)], rel=1e-5)


def test_noise_that_is_added_step_by_step_is_noise_that_is_added_at_once() -> None:
    """q(x_t | x_0) of Ho et al. 2020, equation 4, against their equation 2 applied t times."""
    noising, rows = Noising("cosine", 20, "noise"), 200_000
    torch.manual_seed(0)
    step_by_step = torch.full((rows,), 2.0)
    for t in range(1, 13):
        kept = noising.left[t] / noising.left[t - 1]
        step_by_step = kept.sqrt() * step_by_step + (1 - kept).sqrt() * torch.randn(rows)
    at_once = noising.noised(torch.full((rows,), 2.0), torch.randn(rows), torch.full((rows,), 12))
    # Two samples of 200,000: the means differ by 3 standard errors, 3 * sqrt(2 / 200,000) = 0.01, once in 400 seeds.
    assert step_by_step.mean().item() == pytest.approx(at_once.mean().item(), abs=0.01)
    assert step_by_step.std().item() == pytest.approx(at_once.std().item(), abs=0.01)


@pytest.mark.parametrize("noising", COURSES)
def test_what_is_wanted_means_the_values_and_the_noise(noising: Noising) -> None:
    torch.manual_seed(0)
    values, noise, times = torch.randn(3, 4, 2), torch.randn(3, 4, 2), torch.tensor([1, 20, 40])
    noised = noising.noised(values, noise, times)
    found = noising.meant(noising.wanted(values, noise, times), noised, times)
    torch.testing.assert_close(found, (values, noise), rtol=1e-3, atol=1e-4)


def test_the_velocity_is_how_a_row_moves_as_it_is_turned_into_noise() -> None:
    """d x_t / d angle with a = cos and s = sin of it (Salimans & Ho 2022, appendix D)."""
    values, noise, angle = torch.randn(5), torch.randn(5), torch.tensor(0.7, requires_grad=True)
    _, moved = torch.autograd.functional.jvp(lambda a: a.cos() * values + a.sin() * noise, angle, torch.tensor(1.0))
    noising = Noising("cosine", 50, "velocity")
    noising.__dict__["left"] = torch.tensor([1.0, math.cos(0.7) ** 2])
    torch.testing.assert_close(noising.wanted(values, noise, torch.ones(5, dtype=torch.int64)), moved)


def _exact(noising: Noising, noised: Tensor, times: Tensor) -> Tensor:
    """What the best network says of rows whose values are normal: the mean of what is wanted, given x_t, which for normal values is linear in
    it (the regression of jointly normal numbers)."""
    signal, lost = noising.parts(times, noised)
    spread = signal**2 * DEVIATION**2 + lost**2
    apart = noised - signal * MEAN
    values, noise = MEAN + signal * DEVIATION**2 / spread * apart, lost / spread * apart
    return noise if noising.guess == "noise" else signal * noise - lost * values


@pytest.mark.parametrize("noising", [Noising(c, 1000, g) for c in ("cosine", "linear") for g in ("velocity", "noise")])
def test_with_the_exact_denoiser_noise_becomes_the_distribution_of_the_values(noising: Noising) -> None:
    torch.manual_seed(0)
    noise = torch.randn(4000, 1)
    drawn = noising.drawn(lambda noised, times: _exact(noising, noised, times), noise, 200)
    # DDIM follows a flow that keeps the order; between normals that is a line, and only its 200 steps are inexact: 0.033 was
    # the worst seen.
    torch.testing.assert_close(drawn, MEAN + DEVIATION * noise, rtol=0, atol=0.05)
    assert stats.kstest(drawn[:, 0].numpy(), stats.norm(MEAN, DEVIATION).cdf).pvalue > 0.01


def test_one_step_is_that_of_the_paper() -> None:
    """Song et al. 2021, equation 12 with sigma 0, written out."""
    noising = Noising("linear", 1000, "noise")
    noised, said = torch.randn(2, 3), torch.randn(2, 3)
    seen: list[list[int]] = []

    def say(values: Tensor, times: Tensor) -> Tensor:
        seen.append(times.tolist())
        return said

    found = noising.drawn(say, noised, 2)
    expected = noised
    for now, then in ((1000, 500), (500, 0)):
        a, b = noising.left[now], noising.left[then]
        expected = b.sqrt() * (expected - (1 - a).sqrt() * said) / a.sqrt() + (1 - b).sqrt() * said
    assert seen == [[1000, 1000], [500, 500]]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_more_steps_than_there_are_are_all_there_are() -> None:
    times: list[int] = []

    def say(values: Tensor, at: Tensor) -> Tensor:
        times.append(int(at[0]))
        return values

    Noising("cosine", 4, "noise").drawn(say, torch.randn(1, 2), 100)
    assert times == [4, 3, 2, 1]


def test_guidance_of_one_is_the_class_alone_and_of_none_is_no_class() -> None:
    with_class, without = torch.randn(3), torch.randn(3)
    torch.testing.assert_close(guided(with_class, without, 1.0), with_class)
    assert torch.equal(guided(with_class, without, 0.0), without)
    # Ho & Salimans 2022, equation 6, with w = 2.
    torch.testing.assert_close(guided(with_class, without, 3.0), (1 + 2) * with_class - 2 * without)


def test_levels_lie_inside_the_course() -> None:
    assert Noising("cosine", 1000, "noise").levels(4).tolist() == [200, 400, 600, 800]


def test_what_is_told_differs_by_step_and_class_and_a_row_of_none_has_its_own() -> None:
    torch.manual_seed(0)
    told = Telling(6, 3, 100)(torch.tensor([5, 5, 6, 5]), torch.tensor([0, 1, 0, -1]))
    assert told.shape == (4, 6)
    assert len({tuple(row) for row in told.tolist()}) == 4
