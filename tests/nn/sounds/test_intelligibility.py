from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zhuji.metrics import enhancement
from zhuji.nn.sounds.intelligibility import alike, bands, missed
from zhuji.nn.sounds.spectra import stft

RATE = 10_000


def said(seed: int, size: int = 20_000) -> torch.Tensor:
    """Noise that comes and goes as syllables do."""
    chance = torch.Generator().manual_seed(seed)
    time = torch.arange(size) / RATE
    return torch.randn(size, generator=chance) * (1.05 + torch.sin(2 * math.pi * (3 + seed) * time)) * 0.1


def spectra(samples: torch.Tensor, hop: int = 128) -> torch.Tensor:
    return stft(samples[None], 2 * hop, hop, 512)


def all_of(frames: torch.Tensor) -> torch.Tensor:
    return torch.ones(frames.shape[:2], dtype=torch.bool)


def understood(found: torch.Tensor, wanted: torch.Tensor, real: torch.Tensor, *, rate: int, hop: int) -> torch.Tensor:
    """STOI."""
    each, whole = alike(found, wanted, real, rate=rate, hop=hop)
    assert whole.any(1).all()
    return (each.mean(-1) * whole).sum(1) / whole.sum(1)


def test_bands_are_thirds_of_octaves() -> None:
    """Each frequency in no more than one; those of pystoi up to the frequency at which a band begins, which there is the nearest one."""
    found = bands(RATE, 257)
    assert found.shape == (257, 15) and found.sum(1).max() == 1 and (found.sum(0) >= 1).all()
    utils = pytest.importorskip("pystoi.utils")
    assert abs(found.numpy().T - utils.thirdoct(RATE, 512, 15, 150)[0]).sum(1).max() <= 2
    # At a lower rate there are fewer; where a band is narrower than the frequencies lie apart it is left out.
    assert bands(4_000, 129).shape[1] == 11 and bands(RATE, 17).shape[1] < 15 and bands(RATE, 17).sum(0).min() >= 1


def by_hand(found: np.ndarray, wanted: np.ndarray, bank: np.ndarray, count: int) -> np.ndarray:
    """Taal et al. 2011, one number after the other, of frames of which none is silent."""
    ours, theirs = (np.sqrt(np.abs(of) ** 2 @ bank) for of in (found, wanted))
    scores = []
    for start in range(len(ours) - count + 1):
        for band in range(bank.shape[1]):
            x, y = theirs[start : start + count, band], ours[start : start + count, band]
            y = np.minimum(y * np.sqrt((x**2).sum() / (y**2).sum()), x * (1 + 10 ** (15 / 20)))
            scores.append(np.corrcoef(x, y)[0, 1])
    return np.array(scores)


def test_it_is_the_mean_correlation_of_envelopes() -> None:
    wanted, given = said(0), said(0) + 0.5 * said(1)
    theirs, ours = spectra(wanted)[:, 2:60], spectra(given)[:, 2:60]
    found = understood(ours, theirs, all_of(ours), rate=RATE, hop=128)
    # Float32 sums of a few hundred products; 1e-8 is added to powers.
    scores = by_hand(ours[0].numpy(), theirs[0].numpy(), bands(RATE, 257).numpy(), 30)
    assert abs(found.item() - scores.mean()) < 1e-4
    decibels = 10 * np.log10(1.02 - scores)
    assert abs(missed(ours, theirs, all_of(ours), rate=RATE, hop=128).item() - decibels.mean()) < 1e-3
    assert decibels.std() > 1  # so that a mean of decibels is not the decibels of a mean


@pytest.mark.parametrize("loudness", [0.1, 1.0])
def test_it_lies_near_the_published_measure(loudness: float) -> None:
    """Which cuts frames anew once silence is gone, has another window, and brings bands to whole frequencies otherwise."""
    pytest.importorskip("pystoi")
    wanted, given = said(0), said(0) + loudness * said(1)
    found = understood(spectra(given), spectra(wanted), all_of(spectra(wanted)), rate=RATE, hop=128)
    assert abs(found.item() - enhancement.stoi(given.numpy(), wanted.numpy(), RATE)) < 0.02


def test_silence_and_padding_do_not_count() -> None:
    wanted, given = said(0), said(0) + 0.7 * said(1)
    theirs, ours = spectra(wanted)[:, 2:100], spectra(given)[:, 2:100]
    alone = understood(ours, theirs, all_of(ours), rate=RATE, hop=128)
    quiet = torch.zeros_like(ours)
    later = [torch.cat((of[:, :50], 1e-4 * quiet, of[:, 50:], quiet), 1) for of in (ours, theirs)]
    later[0][:, 50:148] = 5.0  # what is said while nothing is wanted is not heard by this measure
    later[1][:, 196:] = 9.0
    real = torch.cat((torch.ones(1, 196), torch.zeros(1, 98)), 1).bool()
    torch.testing.assert_close(understood(later[0], later[1], real, rate=RATE, hop=128), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("softer", "counts"), [(39.0, True), (41.0, False)])
def test_a_frame_counts_down_to_40_decibels_below_the_loudest(softer: float, counts: bool) -> None:
    wanted, given = spectra(said(0))[:, 2:100], spectra(said(0) + 0.7 * said(1))[:, 2:100]
    alone = understood(given, wanted, all_of(given), rate=RATE, hop=128)
    loudest = wanted[:, wanted[0].abs().square().sum(-1).argmax()][:, None]
    soft = (loudest * 10 ** (-softer / 20)).expand(-1, 40, -1)
    longer = [torch.cat(of, 1) for of in ((given, torch.ones_like(soft)), (wanted, soft))]
    found = understood(longer[0], longer[1], all_of(longer[0]), rate=RATE, hop=128)
    assert (abs(found - alone).item() > 0.05) is counts


def test_what_is_right_has_one_and_too_little_teaches_nothing() -> None:
    whole = spectra(said(0))
    assert abs(understood(whole, whole, all_of(whole), rate=RATE, hop=128).item() - 1) < 1e-4
    assert abs(understood(3 * whole, whole, all_of(whole), rate=RATE, hop=128).item() - 1) < 1e-4
    assert abs(missed(whole, whole, all_of(whole), rate=RATE, hop=128).item() - 10 * math.log10(0.02)) < 0.1
    short = whole[:, :20].clone().requires_grad_()
    found = missed(short, spectra(said(1))[:, :20], all_of(short), rate=RATE, hop=128)
    found.sum().backward()
    assert found.item() == 0 and short.grad is not None and not short.grad.any()
    nothing = torch.zeros_like(whole).requires_grad_()
    found = missed(nothing, nothing.detach(), all_of(whole), rate=RATE, hop=128)
    found.sum().backward()
    assert found.item() == 0 and nothing.grad is not None and nothing.grad.isfinite().all()


def test_following_its_gradient_more_is_understood() -> None:
    wanted = spectra(said(0))
    given = spectra(said(0) + said(1))
    gains = torch.zeros(given.shape, requires_grad=True)
    optimiser = torch.optim.Adam([gains], 0.1)
    scores = []
    for _ in range(20):
        cleaned = given * gains.sigmoid()
        optimiser.zero_grad()
        missed(cleaned, wanted, all_of(given), rate=RATE, hop=128).sum().backward()
        optimiser.step()
        scores.append(understood(cleaned.detach(), wanted, all_of(given), rate=RATE, hop=128).item())
    assert scores[-1] > scores[0] + 0.1


def test_what_the_network_computes_in_changes_nothing() -> None:
    wanted, found = spectra(said(0)), spectra(said(0) + 0.05 * torch.randn(20_000, generator=torch.Generator().manual_seed(1)))
    expected = missed(found, wanted, all_of(wanted), rate=RATE, hop=128)
    with torch.autocast("cpu", torch.bfloat16):
        again = missed(found, wanted, all_of(wanted), rate=RATE, hop=128)
    assert again.dtype == torch.float32 and torch.equal(again, expected)
