"""What `enhance` takes for a room, and what it wants of one."""

import pytest
import torch

from tests.heard import RATE, tone
from zhuji.tasks.enhance import Enhance


def ratio(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Decibels `(B,)` by which what is wanted exceeds the rest."""
    rest = given.double() - wanted.double()
    return 10 * torch.log10(wanted.double().square().sum(1) / rest.square().sum(1))


def test_whether_there_is_a_room_says_nothing_of_the_noise() -> None:
    """Echoes 30 decibels louder than what was said tell who stands in a room."""
    task, said = Enhance(room=0.5, direct=(-30, -30), snr=(-5, 15)), torch.from_numpy(tone(1_000, 0.1))
    pairs = [task.mixture(said, RATE, torch.Generator().manual_seed(n), learning=False) for n in range(40)]
    found = ratio(torch.stack([given for given, _ in pairs]), said.expand(len(pairs), -1))
    free = found[found > -10]
    assert 10 < len(free) < 30 and free.min() < 0 and free.max() > 10


def test_a_room_is_as_loud_as_asked_for() -> None:
    """Noise of 0.4 s, so that echoes have about the energy of their answer: what rings on after the end, of 0.05 s, is a few hundredths."""
    said = torch.randn(3_200, generator=torch.Generator().manual_seed(0))
    for decibels in (0.0, 10.0):
        task = Enhance(room=1.0, echo=(0.05, 0.05), direct=(decibels, decibels), snr=(60, 60))
        pairs = [task.mixture(said, RATE, torch.Generator().manual_seed(n), learning=False) for n in range(10)]
        found = ratio(torch.stack([given for given, _ in pairs]), said.expand(len(pairs), -1))
        assert (found - decibels).abs().max() < 1.5


def test_of_a_room_the_first_echoes_are_wanted_and_the_late_ones_are_not() -> None:
    click = torch.zeros(RATE)
    click[100], click[101] = 1.0, -1.0  # no offset, which would not be wanted
    task = Enhance(room=1.0, echo=(0.5, 0.5), direct=(0.0, 0.0), snr=(60, 60))
    given, wanted = task.mixture(click, RATE, torch.Generator().manual_seed(0), learning=False)
    late = 100 + round(0.05 * RATE)
    torch.testing.assert_close(given[:late], wanted[:late], atol=0.02, rtol=0)
    assert wanted[100] == pytest.approx(1.0, abs=1e-5) and wanted[late - 40 : late].abs().max() > 0.01
    assert wanted[late + 1 :].abs().max() < 1e-6 and given[late : late + 40].abs().max() > 0.02
