import math

import numpy as np
import pytest
import torch

from zhuji.core.errors import BadSetting
from zhuji.nn.sounds.mel import corners_of, filters, log_mel
from zhuji.nn.sounds.spectra import stft
from zhuji.nn.sounds.variation import Variation, mixed_at, sped

RATE, BANDS = 8_000, 40
MELS = corners_of(BANDS, (0.0, 4_000.0), "slaney")[1:-1].float()


def logs(samples: torch.Tensor) -> torch.Tensor:
    return log_mel(stft(samples, 200, 80, 256), filters(RATE, 256, BANDS, (0.0, 4_000.0), "slaney"))


def tone(hertz: float, seconds: float = 1.0, level: float = 0.3) -> torch.Tensor:
    return level * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * RATE)) / RATE)[None]


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(rows: int = 4, frames: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([frames, frames - 7, 12, 3])[:rows]
    return torch.randn(rows, frames, BANDS, generator=chance(1)), torch.arange(frames)[None] < lengths[:, None]


def test_nothing_is_done_until_it_is_asked_for() -> None:
    values, mask = some()
    assert (
        Variation().off
        and not Variation(gain=3).off
        and not Variation(time_masks=1).off
        and not Variation(speed=(0.9, 1.1)).off
    )
    found, same = Variation().loud(values, mask, MELS, (), chance())
    assert found.equal(values) and same.equal(mask) and Variation().hidden(values, mask, chance()).equal(values)


def test_the_same_seed_does_the_same() -> None:
    values, mask = some()
    all_of_it = Variation(speed=(0.8, 1.2), noise=0.5, gain=6, time_masks=2, band_masks=2)

    def done(seed: int) -> torch.Tensor:
        drawn = chance(seed)
        found, frames = all_of_it.loud(values, mask, MELS, (), drawn)
        return all_of_it.hidden(found, frames, drawn)

    assert done(3).equal(done(3)) and not (done(3).shape == done(4).shape and done(3).equal(done(4)))


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 20.0])
def test_noise_lies_at_the_ratio_that_is_stated(snr: float) -> None:
    """Against samples that were mixed at that ratio: powers add up where phases are chance, so that means over many frames agree."""
    random = np.random.default_rng(0)
    said, noise = (torch.tensor(random.standard_normal((1, 40_000)) * level, dtype=torch.float32) for level in (0.1, 0.7))
    scale = (said**2).mean().sqrt() / (noise**2).mean().sqrt() * 10 ** (-snr / 20)
    mask = torch.ones(1, 501, dtype=torch.bool)
    ours = mixed_at(logs(said), logs(noise), mask, torch.tensor([snr])).exp().mean(1)
    # Frames of noise overlap, so a band's mean is that of about a hundred independent ones: 10 %, and 5 bands are that far off.
    assert ((ours / logs(said + scale * noise).exp().mean(1)).log().abs() < 0.3).all()
    total = (mixed_at(logs(said), logs(noise), mask, torch.tensor([snr])).exp() - logs(said).exp()).sum()
    assert 10 * math.log10(float(logs(said).exp().sum() / total)) == pytest.approx(snr, abs=0.01)


def test_padding_does_not_count_for_the_ratio() -> None:
    said, noise = logs(tone(500, 0.5)), logs(tone(1_500, 0.5))
    frames = said.shape[1]
    padded = torch.nn.functional.pad(said, (0, 0, 0, 50), value=5.0)
    more = torch.nn.functional.pad(noise, (0, 0, 0, 50), value=9.0)
    mask = torch.arange(frames + 50)[None] < frames
    alone = mixed_at(said, noise, mask[:, :frames], torch.tensor([3.0]))
    torch.testing.assert_close(mixed_at(padded, more, mask, torch.tensor([3.0]))[:, :frames], alone)


def test_a_tone_played_faster_is_shorter_and_higher() -> None:
    values = logs(tone(800))
    mask = torch.ones(values.shape[:2], dtype=torch.bool)
    found, frames = sped(values, mask, MELS, torch.tensor([1.25]))
    assert int(frames.sum()) == round(values.shape[1] / 1.25) == found.shape[1]
    # The bands of what really is a tone of 1,000 Hz.
    assert found[0, 20].argmax() == logs(tone(1_000))[0, 20].argmax() != values[0, 20].argmax()
    same, _ = sped(values, mask, MELS, torch.tensor([1.0]))
    torch.testing.assert_close(same, values, atol=1e-4, rtol=0)


def test_rows_of_unequal_speed_keep_their_own_frames() -> None:
    values, mask = some(2)
    found, frames = sped(values, mask, MELS, torch.tensor([2.0, 0.5]))
    assert frames.sum(1).tolist() == [15, 46] and found.shape[:2] == (2, 46)
    alone, _ = sped(values[:1], mask[:1], MELS, torch.tensor([2.0]))
    torch.testing.assert_close(found[:1, :15], alone)
    # The last frames of a row that is played more slowly lie between its last one and padding, of which nothing is heard.
    alone, _ = sped(values[1:, :23], mask[1:, :23], MELS, torch.tensor([0.5]))
    torch.testing.assert_close(found[1:], alone)


@pytest.mark.parametrize(("factor", "edge"), [(0.5, -1), (2.0, 0)])
def test_beyond_the_bands_that_were_heard_the_nearest_is_taken(factor: float, edge: int) -> None:
    rising = torch.arange(BANDS).float().expand(1, 6, BANDS)
    found, _ = sped(rising, torch.ones(1, 6, dtype=torch.bool), MELS, torch.tensor([factor]))
    assert set(found[0, :, edge].tolist()) == {float(rising[0, 0, edge])}


def test_each_row_is_played_at_a_speed_of_its_own() -> None:
    values, mask = torch.zeros(50, 100, BANDS), torch.ones(50, 100, dtype=torch.bool)
    lengths = Variation(speed=(0.8, 1.25)).loud(values, mask, MELS, (), chance())[1].sum(1)
    assert 80 <= lengths.min() < 85 and 118 < lengths.max() <= 125


def test_gain_adds_the_same_to_every_logarithm_of_a_row() -> None:
    values, mask = some()
    moved = Variation(gain=6).loud(values, mask, MELS, (), chance())[0] - values
    assert (moved - moved[:, :1, :1]).abs().max() < 1e-5 and moved.abs().max() <= 6 * math.log(10) / 10
    assert len({round(float(one), 5) for one in moved[:, 0, 0]}) == 4 and moved.min() < 0 < moved.max()


def test_masks_are_runs_inside_each_row_and_no_wider_than_asked_for() -> None:
    values, mask = torch.ones(200, 50, BANDS), torch.ones(200, 50, dtype=torch.bool)
    mask[100:, 20:] = False
    time = Variation(time_masks=1, time_width=10, time_share=0.3).hidden(values, mask, chance())[:, :, 0] == 0
    wide = time.sum(1)
    assert wide[:100].max() == 10 and wide[100:].max() == 6 and wide.min() == 0 and not time[100:, 20:].any()
    assert ((time[:, 1:].int() - time[:, :-1].int()).clamp_min(0).sum(1) + time[:, 0].int()).max() == 1
    bands = Variation(band_masks=1, band_width=7).hidden(values, mask, chance())[:, 0] == 0
    assert bands.sum(1).max() == 7 and bands.any(0).all()
    assert (Variation(band_masks=2, band_width=7).hidden(values, mask, chance())[:, 0] == 0).sum(1).max() > 7


def test_noise_of_a_folder_is_taken_where_there_is_one() -> None:
    values, mask = some()
    loud = Variation(noise=1.0, snr=(-40.0, -40.0)).loud(values, mask, MELS, [torch.zeros(5, BANDS)], chance())[0]
    # At -40 dB nothing is heard but the noise, which is flat.
    assert loud[0, :30].std() < 0.05
    assert Variation(noise=1.0).loud(values[:1], mask[:1], MELS, (), chance())[0].equal(values[:1])


def test_noise_of_a_folder_begins_anywhere_and_goes_round() -> None:
    """At -60 dB only the noise is heard, of which each frame has a loudness of its own."""
    values, mask = torch.zeros(20, 7, BANDS), torch.ones(20, 7, dtype=torch.bool)
    noise = torch.arange(5.0)[:, None].expand(5, BANDS)
    found = Variation(noise=1.0, snr=(-60.0, -60.0)).loud(values, mask, MELS, [noise], chance())[0][:, :, 0]
    places = (found - found.min(1, keepdim=True).values).round().long()
    assert set(places[:, 0].tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(places, (places[:, :1] + torch.arange(7)) % 5)


def test_whether_there_is_noise_says_nothing_of_which_and_how_loud() -> None:
    """A flat sound under two noises, each in a band of its own, by 0 to 20 decibels."""
    values, mask = torch.zeros(400, 3, BANDS), torch.ones(400, 3, dtype=torch.bool)
    values[:, :, 2:] = -20.0
    noises = [torch.full((4, BANDS), -20.0).index_fill(1, torch.tensor([band]), 0.0) for band in (5, 7)]
    found = Variation(noise=0.5, snr=(0.0, 20.0)).loud(values, mask, MELS, noises, chance())[0][:, 0]
    heard = found[:, [5, 7]] > -10
    assert not (heard[:, 0] & heard[:, 1]).any() and all(70 < count < 130 for count in heard.sum(0).tolist())
    # Two bands of one, one of the other: the noise's is 3 decibels louder.
    decibels = 3.0103 - found[:, [5, 7]][heard] * 10 / math.log(10)
    assert -0.1 < decibels.min() < 1 and 19 < decibels.max() < 20.1


def test_without_a_folder_what_is_laid_under_is_what_was_said_in_another_row() -> None:
    """Each row is heard in a band of its own, and its padding in the last one, which must not be heard anywhere."""
    lengths = torch.tensor([9, 4, 6, 5])
    mask = torch.arange(9)[None] < lengths[:, None]
    values = torch.full((4, 9, BANDS), -20.0)
    values[torch.arange(4), :, torch.arange(4)] = 0.0
    values[~mask] = torch.nn.functional.one_hot(torch.tensor(BANDS - 1), BANDS) * 40.0 - 20
    found = Variation(noise=1.0, snr=(-40.0, -40.0)).loud(values, mask, MELS, (), chance())[0]
    heard = [set(row[real].argmax(-1).tolist()) for row, real in zip(found, mask, strict=True)]
    assert all(len(bands) == 1 for bands in heard)
    others = [bands.pop() for bands in heard]
    assert sorted(others) == [0, 1, 2, 3] and all(row != other for row, other in enumerate(others))


@pytest.mark.parametrize(
    "wrong", [{"speed": [1.1, 0.9]}, {"speed": [0.1, 1]}, {"snr": [9, 1]}, {"noise": 2}, {"time_share": 0}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        Variation.parse(wrong)
