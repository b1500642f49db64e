from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zhuji.nn.sounds import masks
from zhuji.nn.sounds.spectra import istft, stft


def sounds(rows: int = 3, size: int = 1_024) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    clean = torch.randn(rows, size, generator=chance)
    return clean, clean + 0.7 * torch.randn(rows, size, generator=chance)


def test_the_ideal_mask_gives_back_the_recording() -> None:
    clean, given = sounds()
    wanted, heard = (stft(one, 64, 16, 64) for one in (clean, given))
    back = istft(heard * masks.ideal(wanted, heard, "complex"), 64, 16, clean.shape[1])
    torch.testing.assert_close(back, clean, atol=1e-5, rtol=0)
    real = masks.ideal(wanted, heard, "real")
    torch.testing.assert_close((heard * real).abs(), wanted.abs(), atol=1e-4, rtol=1e-4)
    with_wrong_phases = istft(heard * real, 64, 16, clean.shape[1])
    assert masks.si_sdr(clean, clean).min() > 100 and 5 < masks.si_sdr(with_wrong_phases, clean).mean() < 40
    assert (masks.si_sdr(with_wrong_phases, clean) > masks.si_sdr(given, clean)).all()


def test_where_nothing_is_heard_an_ideal_mask_is_a_number() -> None:
    silence = torch.zeros(1, 2, 3, dtype=torch.complex64)
    assert not masks.ideal(silence, silence, "real").any() and not masks.ideal(silence, silence, "complex").any()


def test_masks_stay_within_their_bounds() -> None:
    raw = 5 * torch.randn(2, 7, 10, generator=torch.Generator().manual_seed(1))
    assert (masks.bounded(raw, "real") >= 0).all() and (masks.bounded(raw, "real") <= 1).all()
    found = masks.bounded(raw, "complex")
    assert found.shape == (2, 7, 5) and found.abs().max() <= 1
    given = torch.complex(raw[..., :5], raw[..., 5:])
    torch.testing.assert_close(found.angle(), given.angle())
    torch.testing.assert_close(found.abs(), given.abs().tanh())
    nothing = torch.zeros(1, 1, 4, requires_grad=True)
    masks.bounded(nothing, "complex").abs().square().sum().backward()
    assert nothing.grad is not None and nothing.grad.isfinite().all()


def test_si_sdr_is_that_of_the_paper_and_knows_no_level() -> None:
    clean, given = sounds()
    for one, other, found in zip(
        given.double().numpy(), clean.double().numpy(), masks.si_sdr(given, clean).tolist(), strict=True
    ):
        scale = sum(a * b for a, b in zip(one, other, strict=True)) / sum(b * b for b in other)
        target = scale * other
        assert found == pytest.approx(10 * math.log10((target**2).sum() / ((one - target) ** 2).sum()), abs=1e-4)
    torch.testing.assert_close(masks.si_sdr(3 * given, clean), masks.si_sdr(given, clean), atol=1e-4, rtol=0)
    assert masks.si_sdr(given, clean).dtype == torch.float64
    silence = torch.zeros(1, 8)
    assert masks.si_sdr(silence, silence, 1e-5).item() == 0


def test_the_compressed_error_is_a_share_of_what_is_wanted() -> None:
    wanted, heard = (stft(one, 64, 16, 64) for one in sounds())
    real = torch.ones(wanted.shape[:2], dtype=torch.bool)
    assert masks.compressed_error(wanted, wanted, real).tolist() == [0.0, 0.0, 0.0]
    nothing = masks.compressed_error(torch.zeros_like(wanted), wanted, real)
    # A power of 1e-8, below which nothing is told apart, is 0.06 once it is compressed.
    torch.testing.assert_close(nothing, torch.ones(3), atol=0.07, rtol=0)
    found = masks.compressed_error(heard, wanted, real)[0].item()
    a, b = (one[0].numpy().astype(np.complex128) for one in (heard, wanted))
    loud = (np.abs(a) ** 0.3 - np.abs(b) ** 0.3) ** 2
    whole = np.abs(a * np.abs(a) ** -0.7 - b * np.abs(b) ** -0.7) ** 2
    assert found == pytest.approx((0.7 * loud + 0.3 * whole).sum() / (np.abs(b) ** 0.6).sum(), rel=1e-3)
    real[0, 10:] = False
    fewer = masks.compressed_error(heard[:1, :10], wanted[:1, :10], real[:1, :10])
    torch.testing.assert_close(masks.compressed_error(heard, wanted, real)[:1], fewer)
