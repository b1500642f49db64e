from collections import Counter

import pytest
import torch

from tests.nn.test_chance import text
from zhuji.core.units import Features, Units, UnitSpec
from zhuji.nn.masking import Blanks, Content, Hiding, MaskedHead, another, hide, runs

SPEC = UnitSpec(grid_ndim=1, num_ids=50, reserved=(0, 2, 3), stem_width=4)


def many(rows=400, width=40):
    torch.manual_seed(0)
    return Units(torch.ones(rows, width, dtype=torch.bool), torch.randint(4, 50, (rows, width)))


def taken(hidden, row):
    return sorted(hidden.places.index[row][hidden.places.valid[row]].tolist())


def test_reserved_units_and_padding_have_no_content():
    units = text([[2, 5, 6, 3], [7, 0, 1]], 5)
    assert Content(SPEC)(units).tolist() == [[False, True, True, False, False], [True, False, True, False, False]]


def test_a_cell_of_values_has_content_whatever_its_id():
    units = Units(torch.tensor([[True, True]]), torch.tensor([[2, 2]]), torch.zeros(1, 2, 1),
                  torch.tensor([[True, False]]), torch.tensor([[False, True]]))  # fmt: skip
    assert Content(SPEC)(units).tolist() == [[False, True]]


def test_shares_are_eighty_ten_ten():
    units, blanks = many(), Blanks(SPEC)
    states = torch.randn(400, 40, 4)
    torch.manual_seed(2)
    hidden = hide(units, units.mask, Hiding(0.15))
    new = blanks.corrupted(Features(states, units.mask), hidden).states
    counts = Counter()
    for row in range(400):
        assert len(taken(hidden, row)) == 6
        for place in range(40):
            state, old = new[row, place], states[row, place]
            if place not in taken(hidden, row):
                assert torch.equal(state, old)
            elif torch.equal(state, blanks.mask):
                counts["blank"] += 1
            elif torch.equal(state, old):
                counts["same"] += 1
            else:
                assert (states[row] == state).all(-1).any(), "another unit of the row"
                counts["other"] += 1
    # 2400 draws: the deviation of 80 % is 0.8 %, of 10 % is 0.6 %; one in 40 others is the unit itself.
    shares = {name: count / 2400 for name, count in counts.items()}
    assert shares == pytest.approx({"blank": 0.8, "other": 0.0975, "same": 0.1025}, abs=0.025)


def test_hiding_is_drawn_anew_and_does_not_depend_on_padding():
    units, wide = text([[5, 6, 7, 8, 9, 10, 11, 12]] * 2 + [[5, 6]], 8), text([[5, 6, 7, 8, 9, 10, 11, 12]] * 2 + [[5, 6]], 20)
    found = []
    for each in (units, wide):
        torch.manual_seed(7)
        hidden = hide(each, each.mask, Hiding(0.5))
        found.append([taken(hidden, row) for row in range(3)])
        fates = [sorted(hidden.fate[row][hidden.places.valid[row]].tolist()) for row in range(3)]
        found[-1] += fates
        found[-1] += [sorted(hidden.other[row][hidden.places.valid[row]].tolist()) for row in range(3)]
    assert found[0] == found[1]
    seen = {tuple(taken(hide(units, units.mask, Hiding(0.5)), 0)) for _ in range(20)}
    assert len(seen) > 10


def test_whole_words_are_hidden_whole():
    torch.manual_seed(0)
    words = torch.tensor([[-1, 0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 6, 7, -1, 8, 8]]).expand(100, -1)
    units = Units(torch.ones(100, 16, dtype=torch.bool), torch.randint(4, 50, (100, 16)), words=words)
    sizes = Counter()
    for row in range(100):
        places = taken(hide(units, units.mask, Hiding(0.3, whole_words=True)), row)
        sizes[len(places)] += 1
        for word in range(9):
            pieces = (words[row] == word).nonzero()[:, 0].tolist()
            assert not set(pieces) & set(places) or set(pieces) <= set(places)
    assert max(sizes) == 5 and sizes[5] > 30


def test_spans_are_geometric_and_end_with_the_document():
    torch.manual_seed(0)
    mask = torch.ones(300, 200, dtype=torch.bool)
    segments = (torch.arange(200) >= 100).long().expand(300, -1)
    units = Units(mask, torch.randint(4, 50, (300, 200)), segments=segments)
    numbers = runs(units, torch.arange(300), False, 4.0)
    assert not set(map(tuple, torch.stack((torch.arange(300), numbers[:, 99])).T.tolist())) & set(
        map(tuple, torch.stack((torch.arange(300), numbers[:, 100])).T.tolist())
    )
    lengths = Counter(length for row in numbers for length in Counter(row[:95].tolist()).values())
    total = sum(lengths.values())
    # P(length = k) = (1 - 1/4)^(k - 1) / 4, up to the cut of the last span.
    for k in range(1, 6):
        assert lengths[k] / total == pytest.approx(0.75 ** (k - 1) / 4, abs=0.02)


def test_spans_of_whole_words_begin_with_a_word():
    torch.manual_seed(0)
    words = (torch.arange(60) // 3).expand(50, -1)
    units = Units(torch.ones(50, 60, dtype=torch.bool), torch.randint(4, 50, (50, 60)), words=words)
    numbers = runs(units, torch.arange(50), True, 2.0)
    changed = (numbers[:, 1:] != numbers[:, :-1]).nonzero()
    assert len(changed) and all((int(place) + 1) % 3 == 0 for place in changed[:, 1])


def test_another_is_one_of_the_eligible():
    eligible = torch.tensor([[False, True, False, True, True], [False] * 5])
    found = another(eligible, torch.linspace(0, 0.999, 9).expand(2, -1))
    assert found[0].tolist() == [1, 1, 1, 3, 3, 3, 4, 4, 4]
    assert found[1].tolist() == [4] * 9


def test_ids_cost_the_cross_entropy_at_the_hidden_places_alone():
    torch.manual_seed(0)
    units, table = many(3, 10), torch.randn(50, 4)
    head = MaskedHead(SPEC, 6)
    features = Features(torch.randn(3, 10, 6), units.mask)
    hidden = hide(units, units.mask, Hiding(0.3))
    for training in (True, False):
        guess = head.train(training).guess(features, units, hidden.places, table)
        for row in range(3):
            for column, place in enumerate(hidden.places.index[row].tolist()):
                logits = head.ids.logits(features.states[row, place], table)
                expected = -logits.log_softmax(-1)[units.ids[row, place]]
                torch.testing.assert_close(guess.loss[row, column], expected)
                assert guess.right[row, column] == (not training and logits.argmax() == units.ids[row, place])
        assert guess.terms.sum() == hidden.places.valid.sum() == 9


def test_values_cost_the_squared_error_of_what_is_normalised_if_asked():
    torch.manual_seed(0)
    spec = UnitSpec(grid_ndim=2, num_values=5, stem_width=4)
    units = Units(torch.ones(2, 3, 3, dtype=torch.bool), values=torch.randn(2, 3, 3, 5) * 3 + 1)
    features = Features(torch.randn(2, 3, 3, 6), units.mask)
    hidden = hide(units, units.mask, Hiding(0.4))
    for normalise in (False, True):
        head = MaskedHead(spec, 6, normalise=normalise)
        guess = head.guess(features, units, hidden.places, None)
        for row in range(2):
            for column, place in enumerate(hidden.places.index[row].tolist()):
                wanted = units.values[row].flatten(0, 1)[place]
                wanted = (wanted - wanted.mean()) / wanted.std(correction=0) if normalise else wanted
                error = head.values(features.states[row].flatten(0, 1)[place]) - wanted
                torch.testing.assert_close(guess.loss[row, column], error.square().mean(), rtol=1e-4, atol=1e-5)
        assert not guess.named.any()
