from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from zhuji.nn.alignment import diagonal
from zhuji.nn.speakers import ByAttention, ByDurations, Speaker, apart, at_speed, off, stopping

BANDS = 5
SCALE = (torch.arange(5.0), torch.full((5,), 2.0))
MASK = torch.arange(4)[None] < torch.tensor([4, 2, 3])[:, None]
SPOKEN = torch.tensor([13, 4, 2])
"""The last row has too few frames for its units."""


def speaker(kind: str) -> Speaker:
    torch.manual_seed(0)
    shared = {"width": 8, "layers": 1, "window": 3, "dropout": 0.0}
    if kind == "attention":
        return ByAttention(6, 2, SCALE, 0.1, **shared, group=2, prenet=4, forget=0.5, noise=0.5).eval()
    return ByDurations(6, 2, SCALE, 0.1, **shared, heads=2, hidden=16).eval()


def given() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(3, 4, 6, generator=random) * MASK[..., None], torch.randn(3, 13, BANDS, generator=random)


@pytest.mark.parametrize("kind", ["durations", "attention"])
def test_rows_are_judged_as_alone_and_what_does_not_fit_counts_nothing(kind: str) -> None:
    states, frames = given()
    head = speaker(kind)
    with torch.no_grad():
        found = head.learned(states, MASK, frames, SPOKEN)
        for row, units in enumerate((4, 2)):
            size = int(SPOKEN[row])
            alone = head.learned(
                states[row : row + 1, :units], MASK[row : row + 1, :units], frames[row : row + 1, :size], SPOKEN[row : row + 1]
            )
            for name, value in alone.items():
                torch.testing.assert_close(found[name][row : row + 1], value, rtol=1e-5, atol=1e-6)
    assert found["unfit"].tolist() == [0, 0, 1] and found["terms"].tolist() == [13, 4, 0]
    assert not any(found[name][2] for name in ("error", "wrong", "apart", "timing", "late", "lasting"))


@pytest.mark.parametrize("kind", ["durations", "attention"])
def test_what_is_said_of_a_row_alone(kind: str) -> None:
    states, _ = given()
    head = speaker(kind)
    with torch.no_grad():
        found, alone = head.said(states, MASK, 1.3), head.said(states[1:2, :2], MASK[1:2, :2], 1.3)
    real = found["real"][1]
    torch.testing.assert_close(found["frames"][1, real], alone["frames"][0], rtol=1e-5, atol=1e-5)
    assert found["durations"][1, :2].tolist() == alone["durations"][0].tolist()
    assert found["durations"].sum(1).tolist() == found["real"].sum(1).tolist()


def test_who_attends_hears_both_of_its_frames_and_counts_what_it_leaves_out() -> None:
    states, frames = given()
    head = speaker("attention")
    with torch.no_grad():
        found = head.learned(states, MASK, frames, SPOKEN)
        free = head.said(states, MASK, 1.0)
    assert (found["error"][:2] > found["wrong"][:2]).all()
    assert found["skipped"][:2].tolist() == ((free["durations"] == 0) & MASK).sum(1)[:2].tolist()
    assert found["repeated"].tolist() == [0, 0, 0] and found["units"].tolist() == [4, 2, 0]
    assert found["seconds"].tolist() == pytest.approx((free["real"].sum(1) * 0.1).tolist())


def test_the_loss_of_the_alignment_is_of_all_alignments() -> None:
    energies = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    steps, units = torch.tensor([7, 5]), torch.tensor([4, 3])
    energies = energies.masked_fill(torch.arange(4)[None, None] >= units[:, None, None], -torch.inf)
    log_p = (energies.log_softmax(2) + diagonal(steps, units, (7, 4))).double().numpy()
    for row, (size, count) in enumerate(zip(steps.tolist(), units.tolist(), strict=True)):
        scores = []
        for cuts in combinations(range(1, size), count - 1):
            ends = [0, *cuts, size]
            scores.append(sum(log_p[row, ends[unit] : ends[unit + 1], unit].sum() for unit in range(count)))
        assert float(apart(energies, steps, units)[row]) == pytest.approx(-np.logaddexp.reduce(scores), rel=1e-5)


def test_where_to_stop_is_a_chance() -> None:
    stops = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    chance = stops.double().sigmoid()
    for row, steps in enumerate((1, 4, 6)):
        wanted = -(chance[row, steps - 1] * (1 - chance[row, : steps - 1]).prod()).log()
        assert float(stopping(stops, torch.tensor([1, 4, 6]))[row]) == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize("speed", [0.25, 0.7, 1.0, 1.9, 4.0])
def test_speed_lays_frames_on_the_lines_between_them(speed: float) -> None:
    frames, path = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0)), torch.arange(9).expand(2, -1)
    lasting = torch.tensor([9, 5])
    found, units, shorter = at_speed(frames, path, lasting, speed)
    for row, size in enumerate(lasting.tolist()):
        count = max(1, round(size / speed))
        assert int(shorter[row]) == count
        place = ((np.arange(count) + 0.5) * speed - 0.5).clip(0, size - 1)
        for band in range(3):
            wanted = np.interp(place, np.arange(size), frames[row, :size, band])
            np.testing.assert_allclose(found[row, :count, band], wanted, atol=1e-5)
        assert np.abs(units[row, :count].numpy() - place).max() <= 0.5


def test_errors_are_summed_over_real_frames() -> None:
    heard, frames = torch.ones(1, 3, 2), torch.tensor([[[0.0, 1.0], [3.0, 1.0], [9.0, 9.0]]])
    assert off(heard, frames, torch.tensor([[True, True, False]])).tolist() == [1.5]
