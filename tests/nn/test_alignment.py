from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import betabinom

from zhuji.nn.alignment import NEVER, best_path, diagonal, forward_sum, spread

SIZES = [(1, 1), (4, 1), (4, 2), (5, 5), (7, 3), (8, 4)]


def rows() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A batch of rows of all sizes, with nonsense where they are padded."""
    frames, units = (torch.tensor(column) for column in zip(*SIZES, strict=True))
    given = torch.randn(len(SIZES), 9, 6, generator=torch.Generator().manual_seed(0))
    beyond = torch.arange(6)[None, None] >= units[:, None, None]
    return given.masked_fill(beyond, NEVER), frames, units


def alignments(frames: int, units: int) -> list[list[int]]:
    """All ways to cut frames into runs, one a unit and none empty, each as the unit of every frame."""
    found = []
    for cuts in combinations(range(1, frames), units - 1):
        ends = [0, *cuts, frames]
        found.append([unit for unit in range(units) for _ in range(ends[unit + 1] - ends[unit])])
    return found


def scored(log_p: torch.Tensor, path: list[int]) -> float:
    return sum(float(log_p[time, unit]) for time, unit in enumerate(path))


@pytest.mark.parametrize("place", range(len(SIZES)), ids=str)
def test_the_sum_and_the_best_are_those_of_all_alignments(place: int) -> None:
    log_p, frames, units = rows()
    every = alignments(*SIZES[place])
    scores = np.array([scored(log_p[place], path) for path in every])
    # One after the other in float64, where ours adds pair by pair.
    assert float(forward_sum(log_p, frames, units)[place]) == pytest.approx(-np.logaddexp.reduce(scores), rel=1e-6)
    best = every[int(scores.argmax())]
    assert best_path(log_p, frames, units)[place].tolist() == [best.count(unit) for unit in range(6)]


def test_the_slope_of_the_sum_is_how_likely_a_unit_is_in_a_frame() -> None:
    log_p, frames, units = rows()
    log_p.requires_grad_()
    (slope,) = torch.autograd.grad(forward_sum(log_p, frames, units).sum(), log_p)
    assert slope.isfinite().all()
    every = alignments(*SIZES[4])
    weights = np.exp([scored(log_p[4].detach(), path) for path in every])
    occupied = np.zeros((9, 6))
    for weight, path in zip(weights / weights.sum(), every, strict=True):
        occupied[np.arange(len(path)), path] += weight
    np.testing.assert_allclose(slope[4, :7, :3].numpy(), -occupied[:7, :3], atol=1e-5)
    assert not slope[4, 7:].any()


def test_padding_changes_nothing() -> None:
    log_p, frames, units = rows()
    alone = [forward_sum(log_p[n : n + 1, :t, :u], frames[n : n + 1], units[n : n + 1]) for n, (t, u) in enumerate(SIZES)]
    torch.testing.assert_close(torch.cat(alone), forward_sum(log_p, frames, units), rtol=1e-9, atol=1e-9)
    scribbled = log_p.clone()
    for place, (time, unit) in enumerate(SIZES):
        scribbled[place, time:] = 3.0
        scribbled[place, :, unit:] = 3.0
    assert torch.equal(best_path(scribbled, frames, units), best_path(log_p, frames, units))


def test_a_text_that_does_not_fit_has_no_frames() -> None:
    found = best_path(torch.zeros(2, 3, 4), torch.tensor([3, 3]), torch.tensor([4, 0]))
    assert not found.any()


def test_the_diagonal_is_scipys_and_sums_to_one() -> None:
    frames, units = torch.tensor([7, 3]), torch.tensor([4, 2])
    found = diagonal(frames, units, (8, 5))
    for row, (length, count) in enumerate(((7, 4), (3, 2))):
        for time in range(length):
            expected = betabinom(count - 1, time + 1, length - time).logpmf(np.arange(count))
            np.testing.assert_allclose(found[row, time, :count].numpy(), expected, rtol=1e-5, atol=1e-6)
        assert (found[row, length:] == NEVER).all() and (found[row, :, count:] == NEVER).all()
    assert diagonal(frames, units, (8, 5), 4.0)[0, 3, :4].max() > found[0, 3, :4].max()


def test_each_state_stands_as_often_as_its_unit_has_frames() -> None:
    states = torch.arange(6.0).reshape(2, 3, 1) + 1
    durations = torch.tensor([[2, 0, 3], [1, 1, 0]])
    told, place, real = spread(states, durations, 6)
    assert told[..., 0].tolist() == [[1, 1, 3, 3, 3, 0], [4, 5, 0, 0, 0, 0]]
    assert real.tolist() == [[True] * 5 + [False], [True] * 2 + [False] * 4]
    assert place[0, :5, 0].tolist() == pytest.approx([1 / 4, 3 / 4, 1 / 6, 1 / 2, 5 / 6])
    assert place[0, 2, 1] == pytest.approx(np.log(3)) and not place[0, 5].any()
    torch.testing.assert_close(told[0].sum(0), (states[0] * durations[0][:, None]).sum(0))
