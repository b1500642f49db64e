from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zhuji.nn.speakers import ByAttention, ByDurations, Speaker, at_speed, off, path_of, turning

BANDS = 5
SCALE = (torch.arange(5.0), torch.full((5,), 2.0))
MASK = torch.arange(4)[None] < torch.tensor([4, 2, 3])[:, None]
SPOKEN = torch.tensor([13, 4, 2])
"""The last row has too few frames for its units."""


def speaker(kind: str) -> Speaker:
    torch.manual_seed(0)
    shared = {"width": 8, "layers": 1, "dropout": 0.0}
    if kind == "attention":
        return ByAttention(6, 2, SCALE, 0.1, **shared, group=2, prenet=4, forget=0.5, noise=0.5).eval()
    return ByDurations(6, 2, SCALE, 0.1, **shared, heads=2, window=3, hidden=16).eval()


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


def test_who_attends_hears_both_of_its_frames_and_speaks_by_itself() -> None:
    states, frames = given()
    head = speaker("attention")
    with torch.no_grad():
        found, free = head.learned(states, MASK, frames, SPOKEN), head.said(states, MASK, 1.0)
    assert (found["error"][:2] > found["wrong"][:2]).all()
    assert found["seconds"].tolist() == pytest.approx((free["real"].sum(1) * 0.1).tolist())
    assert (free["durations"] > 0).tolist() == MASK.tolist() and (free["durations"] <= 200).all()


def test_groups_of_a_recording_are_aligned_by_the_sum_over_their_frames() -> None:
    """The middle row: four frames in groups of two, of two units. The first group is the first unit's, whatever it sounds like."""
    states, frames = given()
    head = speaker("attention")
    assert isinstance(head, ByAttention)
    with torch.no_grad():
        found = head.learned(states, MASK, frames, SPOKEN)
        real = torch.arange(4)[None] < 4
        log_p = head.aligner(states[1:2, :2], MASK[1:2, :2], frames[1:2, :4], real).double()
        wanted = log_p[0, :2, 0].sum() + log_p[0, 2:, 1].sum()
        path = torch.tensor([[0, 1]])
        heard = head.decoder.taught(states[1:2, :2], frames[1:2, :4], path)
    assert float(found["apart"][1]) == pytest.approx(-float(wanted), rel=1e-5)
    drafted = off(heard.frames, frames[1:2, :4], real)
    assert float(found["error"][1] - found["wrong"][1]) == pytest.approx(float(drafted), rel=1e-5)
    assert float(found["timing"][1]) == pytest.approx(float(turning(heard.onward, torch.tensor([[1, 1]]))), rel=1e-5)


def test_a_path_says_each_unit_as_long_as_it_lasts() -> None:
    durations = torch.tensor([[2, 1, 3, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    assert path_of(durations, 7).tolist() == [[0, 0, 1, 2, 2, 2, 2], [0, 1, 1, 1, 1, 1, 1], [0] * 7]


def test_when_to_move_on_is_a_chance() -> None:
    onward = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    chance, durations = onward.double().sigmoid(), [[2, 1, 3], [1, 0, 0], [3, 1, 0]]
    for row, each in enumerate(durations):
        wanted, place = 1.0, 0
        for steps in filter(None, each):
            wanted *= (1 - chance[row, place : place + steps - 1]).prod() * chance[row, place + steps - 1]
            place += steps
        assert float(turning(onward, torch.tensor(durations))[row]) == pytest.approx(-math.log(wanted), rel=1e-6)


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
