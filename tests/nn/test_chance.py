from dataclasses import replace

import pytest
import torch
from scipy import stats

from zhuji.core.units import Units
from zhuji.nn.chance import Places, chance, chosen, fingerprint, noise, numbered, settled_noise


def text(rows, width):
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for place, row in enumerate(rows):
        ids[place, : len(row)], mask[place, : len(row)] = torch.tensor(row), True
    return Units(mask, ids)


ROWS = [[5, 6, 7, 8], [9], [5, 6, 7], [8, 7, 6, 5]]


def drawn(units, seed=3):
    torch.manual_seed(seed)
    return chance(units.mask, fingerprint(units))


def test_draws_are_uniform_and_independent_of_each_other():
    torch.manual_seed(0)
    mask = torch.ones(200, 500, dtype=torch.bool)
    first, second = chance(mask), chance(mask)
    for draws in (first, second):
        assert float(draws.min()) >= 0 and float(draws.max()) < 1
        shares = torch.histc(draws, 20, 0, 1) / draws.numel()
        # Deviation of a share of 1/20 over 100,000 draws: 0.0007.
        assert (shares - 0.05).abs().max() < 0.0035
    for a, b in ((first, second), (first[:, 1:], first[:, :-1]), (first[1:], first[:-1])):
        # Deviation of a correlation of 100,000 pairs: 0.003.
        assert abs(float(torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1])) < 0.015


def test_draws_depend_on_the_seed_alone():
    units = text(ROWS, 4)
    assert torch.equal(drawn(units), drawn(units))
    assert not torch.equal(drawn(units), drawn(units, seed=4))


def test_draws_do_not_depend_on_padding_or_on_the_batch():
    units, wide = text(ROWS, 4), text(ROWS, 9)
    assert torch.equal(drawn(units)[units.mask], drawn(wide)[wide.mask])
    assert torch.equal(drawn(units)[2:], drawn(replace(units, mask=units.mask[2:], ids=units.ids[2:])))


def test_a_grid_draws_by_real_units():
    values = torch.randn(2, 2, 3, 1)
    small = Units(torch.ones(2, 2, 3, dtype=torch.bool), values=values)
    wide = Units(torch.zeros(2, 4, 5, dtype=torch.bool), values=torch.full((2, 4, 5, 1), 7.0))
    wide.mask[:, :2, :3], wide.values[:, :2, :3] = True, values
    assert torch.equal(drawn(small)[small.mask], drawn(wide)[wide.mask])


def test_fingerprints_tell_content_from_content():
    units = text(ROWS, 4)
    assert len(set(fingerprint(units).tolist())) == len(ROWS)
    assert torch.equal(fingerprint(units), fingerprint(replace(units, ids=units.ids.masked_fill(~units.mask, 3))))
    values = torch.randn(2, 3, 4)
    mask = torch.ones(2, 3, dtype=torch.bool)
    prints = fingerprint(Units(mask, values=values))
    values[0, 1, 2] += 1e-4
    assert fingerprint(Units(mask, values=values))[0] != prints[0]
    assert fingerprint(Units(mask, values=values))[1] == prints[1]


def test_units_of_one_number_share_a_draw():
    units = text([[5, 6, 7, 8, 9]], 5)
    words = torch.tensor([[0, 1, 1, 2, 2]])
    draws = chance(units.mask, fingerprint(units), words)[0]
    assert draws[1] == draws[2] and draws[3] == draws[4]
    assert len(set(draws.tolist())) == 3


@pytest.mark.parametrize("rate, least", [(0.15, 1), (0.5, 0), (0.0, 0), (0.99, 1)])
def test_exactly_the_rounded_share_with_the_highest_draws(rate, least):
    torch.manual_seed(1)
    eligible = torch.rand(50, 37) < 0.6
    eligible[0], eligible[1] = False, True
    draws = torch.rand(50, 37)
    places = chosen(draws, eligible, rate, least=least)
    for row in range(50):
        possible = eligible[row].nonzero()[:, 0].tolist()
        count = min(len(possible), max(least, round(rate * len(possible))))
        best = sorted(possible, key=lambda i: -float(draws[row, i]))[:count]
        assert sorted(places.index[row][places.valid[row]].tolist()) == sorted(best)
        assert len(set(places.index[row].tolist())) == places.index.shape[1]


def test_what_stays_together_is_taken_whole_or_not_at_all():
    draws = torch.tensor([[0.9, 0.8, 0.8, 0.8, 0.1, 0.2]])
    eligible = torch.ones(1, 6, dtype=torch.bool)
    taken = [chosen(draws, eligible, count / 6) for count in range(1, 7)]
    assert [sorted(p.index[0][p.valid[0]].tolist()) for p in taken] == [
        [0], [0], [0], [0, 1, 2, 3], [0, 1, 2, 3, 5], [0, 1, 2, 3, 4, 5],
    ]  # fmt: skip


def test_places_read_and_write_a_grid():
    values = torch.arange(24.0).view(2, 2, 3, 2)
    places = Places(torch.tensor([[5, 0], [1, 2]]), torch.tensor([[True, False], [True, True]]))
    assert places.of(values, 2)[0].tolist() == [[10, 11], [0, 1]]
    new = places.put(values, torch.full((2, 2, 2), -1.0), 2)
    assert (new == -1).all(-1).nonzero().tolist() == [[0, 1, 2], [1, 0, 1], [1, 0, 2]]
    assert torch.equal(new[new != -1], values[new != -1])


def test_numbers_count_real_units():
    assert numbered(torch.tensor([[True, False, True]]))[0, ::2].tolist() == [0, 1]


def test_settled_noise_is_normal_and_a_rows_own():
    rows = torch.arange(2000) * 12345
    before = torch.random.get_rng_state()
    noise = settled_noise(rows, 50)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(noise[7:9], settled_noise(rows[7:9], 50)) and noise.dtype == torch.float32
    # 100,000 numbers: deviation of the mean 0.003, of correlations 0.003.
    assert abs(float(noise.mean())) < 0.015 and abs(float(noise.std()) - 1) < 0.015
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
    for a, b in ((noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1])):
        assert abs(float(torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1])) < 0.015


def test_noise_is_normal_and_that_of_its_row() -> None:
    mask = torch.arange(300)[None] < torch.tensor([300, 200])[:, None]
    rows = torch.tensor([5, 9])
    torch.manual_seed(0)
    found = noise(mask, rows, 4)
    assert found.shape == (2, 300, 4)
    assert abs(found[0].mean().item()) < 0.1 and abs(found[0].std().item() - 1) < 0.1
    torch.manual_seed(0)
    assert torch.equal(noise(mask[1:, :220], rows[1:], 4)[0, :200], found[1, :200]), "padding and other rows change nothing"
    assert not torch.equal(noise(mask, rows, 4), found)
