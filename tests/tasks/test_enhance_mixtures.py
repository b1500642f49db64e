"""What the mixtures are made of that `enhance` learns from: speeds, microphones, channels, stretches of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.heard import RATE, tone, written
from zhuji.data.noises import noises
from zhuji.nn.sounds.mixing import narrowed
from zhuji.tasks.enhance import Enhance

pytest.importorskip("soundfile")


@pytest.mark.parametrize("learning", [True, False])
def test_a_constant_offset_is_neither_wanted_nor_counted_in_the_ratio(learning: bool) -> None:
    """A recorder that adds one adds energy that nobody hears: a network that takes it away has lost nothing of what was said."""
    said = torch.randn(3000, generator=torch.Generator().manual_seed(0)) * 0.1
    found = [
        Enhance(snr=(3, 3)).mixture(said - said.mean() + offset, RATE, torch.Generator().manual_seed(1), learning=learning)
        for offset in (0.0, 0.2)
    ]
    (given, wanted), (other, _) = found
    assert wanted.mean().abs() < 1e-6
    torch.testing.assert_close(given, other, atol=1e-6, rtol=0)


def test_recording_and_noise_sound_through_microphones_of_their_own() -> None:
    """What each became by what it was, at each frequency: both change, and one is not the other at another level."""
    said, spectra = torch.from_numpy(tone(1_000, 0.4)), list[list[torch.Tensor]]()
    for share in (0.0, 1.0):
        task = Enhance(microphone=share, snr=(0.0, 0.0))
        given, clean = task.mixture(said, RATE, torch.Generator().manual_seed(1), learning=True)
        spectra.append([torch.fft.rfft(of.double()).abs() for of in (clean, given - clean)])
    changes = [20 * torch.log10(after / before)[10:-10] for before, after in zip(*spectra, strict=True)]
    assert all(change.std() > 0.5 for change in (*changes, changes[0] - changes[1]))


def test_noise_that_is_played_faster_lasts_as_long(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "valid", "test")):
        written(tmp_path / part / f"{number}.wav", tone(500, 1.0, seed=number))
    task, said = Enhance(noise_folder=str(tmp_path), speed=(1.25, 1.25)), torch.from_numpy(tone(1_000, 0.4))
    given, clean = task.mixture(said, RATE, torch.Generator().manual_seed(1), learning=True)
    assert not clean[-600:].any() and given[-600:].abs().max() > 0.5 * (given - clean).abs().max()


@pytest.mark.parametrize(("factor", "edge"), [(0.8, 0.4), (1.25, 0.5)])
def test_recording_and_noise_are_played_alike_and_keep_to_their_channel(factor: float, edge: float) -> None:
    """Where a slower recording has no frequencies any more noise has none either; a faster one of 8 kHz is one of 8 kHz."""
    said = narrowed(torch.randn(4000, generator=torch.Generator().manual_seed(0)))
    pair = Enhance(speed=(factor, factor)).mixture(said, RATE, torch.Generator().manual_seed(1), learning=True)
    for sound in pair:
        # The first part: behind it a faster recording is silent, and falls to that at once.
        powers = torch.fft.rfft(sound[:3000] * torch.hann_window(3000)).abs().square()
        last = int(edge * len(powers))
        assert powers[last + 20 :].sum() < 1e-4 * powers.sum() < powers[last - 200 : last].sum()


def test_any_recording_of_noise_is_heard_from_anywhere(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "train", "valid", "test")):
        written(tmp_path / part / f"{number}.wav", tone(500, 1.0, seed=number))
    task, said, found = Enhance(noise_folder=str(tmp_path)), torch.from_numpy(tone(1_000, 0.2)), set[tuple[int, int]]()
    for seed in range(12):
        given, clean = task.mixture(said, RATE, torch.Generator().manual_seed(seed), learning=True)
        alike = [np.correlate(one, (given - clean).numpy()) for one in noises(str(tmp_path), RATE).learned]
        which = int(np.argmax([one.max() for one in alike]))
        found.add((which, int(alike[which].argmax())))
    chosen, starts = zip(*found, strict=True)
    assert set(chosen) == {0, 1} and min(starts) < 1_600 and max(starts) > 4_800


@pytest.mark.parametrize("learning", [True, False])
def test_noise_has_lost_what_a_narrow_recording_has_lost(learning: bool) -> None:
    task = Enhance(snr=(-5.0, -5.0))
    wide = torch.from_numpy(tone(1_000, 0.4))
    for clean, share in ((narrowed(wide), 0.0), (wide, 0.01)):
        given, _ = task.mixture(clean, RATE, torch.Generator().manual_seed(3), learning=learning)
        power = torch.fft.rfft(given).abs().square()
        upper = float(power[len(power) // 2 + 1 :].sum() / power.sum())
        assert upper > share if share else upper < 1e-6
