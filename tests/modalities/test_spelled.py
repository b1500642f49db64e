import numpy as np
import pytest
import torch

from zhuji.core.units import Units
from zhuji.modalities.spelled import PARTS, Spelled, shape
from zhuji.nn.stems import PartsStem

SPELLED = Spelled(buckets=1 << 20, leave_out=0.0, dropout=0.0)


def known(*words):
    """(T, 1 + PARTS): the buckets of each word and its parts."""
    [row] = SPELLED.encode([words])
    return np.concatenate((row.ids[:, None], row.parts), 1)


def test_shape():
    assert [shape(word) for word in ("McDonald-7", "USA", "2024", "科技0", "", "#@")] == ["XxXx-0", "X", "0", "x0", "", "#@"]
    assert shape("a" * 1000 + "7") == "x"


def test_words_alike_in_a_part_share_its_bucket_and_no_other():
    cats, Cats, bats, cattle = known("cats", "Cats", "bats", "cattle")
    itself, form, one, three, two_last, three_last = range(6)
    assert cats[itself] == Cats[itself] != bats[itself] and cats[form] == bats[form] != Cats[form]
    assert cats[one] == cattle[one] != bats[one] and cats[three] == cattle[three] != bats[three]
    assert cats[two_last] == bats[two_last] != cattle[two_last] and cats[three_last] == bats[three_last]
    # The same letters as another part are another bucket.
    assert len(set(known("aa")[0].tolist())) == 1 + PARTS


def test_pairs_are_of_neighbours():
    first, second = known("New", "York"), known("old", "York")
    assert first[1, -2] != second[1, -2] and first[1, -1] == second[1, -1]
    assert first[0, -1] == known("see", "new", "york")[1, -1]


def test_texts_are_cut_into_words_and_rows_at_their_limit():
    short = Spelled(max_units=2)
    text, words = short.encode(["筑基, from scratch", ("a", "b", "c", "d", "e")])
    assert text.length == words.length == 2 and text.cut == 2 and words.cut == 3
    assert SPELLED.encode(["Hi, you!"])[0].ids.tolist() == SPELLED.encode([("Hi", ",", "you", "!")])[0].ids.tolist()
    # A pair with a word that was cut off is not known.
    assert words.parts[1, -1] == short.encode([("a", "b")])[0].parts[1, -1]
    assert SPELLED.encode(["", ()])[0].length == 1 and SPELLED.encode(["\ud800"])[0].length == 1


def test_buckets_leave_zero_to_padding():
    tiny = Spelled(buckets=2)
    assert {*tiny.encode(["many words 7 X"])[0].parts.flatten().tolist()} == {1}


def units_of(*rows):
    encoded = SPELLED.encode(rows)
    return SPELLED.collate(encoded, (max(row.length for row in encoded) + 1,))


def test_a_state_is_the_sum_of_what_is_known():
    units, stem = units_of(("New", "York"), ("hm",)), PartsStem(1 << 20, 6, PARTS).eval()
    states = stem(units).states
    expected = stem.table.weight[torch.from_numpy(known("New", "York")).long()].sum(1)
    torch.testing.assert_close(states[0, :2], expected)
    assert not states[0, 2].any() and not states[1, 1:].any()


def test_what_is_left_out_while_learning():
    torch.manual_seed(0)
    stem = PartsStem(4, 1, 99, leave_out=0.3)
    with torch.no_grad():
        stem.table.weight.fill_(1.0)
    known = torch.ones(50, 20, 100, dtype=torch.long)
    units = Units(torch.ones(50, 20, dtype=torch.bool), ids=known[..., 0], parts=known[..., 1:])
    # Binomial: 100,000 draws at 0.7 have a deviation of 0.0015.
    assert float(stem(units).states.detach().mean()) / 100 == pytest.approx(0.7, abs=0.008)
    assert float(stem.eval()(units).states.detach().mean()) == 100
