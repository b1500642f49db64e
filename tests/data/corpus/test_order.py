from collections import Counter

import numpy as np
import pytest

from tests.data.corpus import made
from zhuji.data.corpus.order import Epochs, Kept, Order


def test_an_epoch_is_every_block_once_in_windows_of_bounded_size(tmp_path):
    held = made.corpus(tmp_path / "c", made.lengths_of(500), made.lengths_of(100))
    order = Order([held], seed=3, window_bytes=9_000)
    for epoch in range(3):
        windows = order.windows(epoch)
        assert sorted(np.concatenate(windows).tolist()) == list(range(len(held.blocks)))
        assert len(windows) > 3
        assert max(held.bytes[window].sum() for window in windows) < 9_000 + held.bytes.max()
    assert np.concatenate(order.windows(0)).tolist() != np.concatenate(order.windows(1)).tolist()
    assert np.concatenate(Order([held], 3, 9_000).windows(1)).tolist() == np.concatenate(order.windows(1)).tolist()
    assert np.concatenate(Order([held], 4, 9_000).windows(1)).tolist() != np.concatenate(order.windows(1)).tolist()


def test_weights_say_how_often_a_source_is_read_and_fractions_add_up(tmp_path):
    held = made.corpus(tmp_path / "c", *[made.lengths_of(400)] * 4, weights=(1.0, 2.0, 0.25, 1.5))
    order = Order([held], seed=0)
    source = held.blocks["source"]
    blocks = np.bincount(source)
    read = np.zeros((4, len(source)), int)
    for epoch in range(4):
        for b, count in Counter(np.concatenate(order.windows(epoch)).tolist()).items():
            read[epoch, b] = count
    for s, weight in enumerate((1.0, 2.0, 0.25, 1.5)):
        assert (read[:, source == s].sum(0) == 4 * weight).all()
        assert abs(read[:, source == s].sum(1) - weight * blocks[s]).max() <= 1


def test_weights_can_be_given_when_reading(tmp_path):
    from zhuji.data.corpus.shards import Corpus

    made.corpus(tmp_path / "c", [5] * 300, [5] * 300)
    order = Order([Corpus(tmp_path / "c", weights=(3, 1))], seed=0)
    read = Counter(order.corpora[0].blocks["source"][np.concatenate(order.windows(0))].tolist())
    assert read[0] == 3 * read[1]


def test_numbers_are_unique_over_corpora_and_a_copied_block_keeps_its_own(tmp_path):
    one, two = made.corpus(tmp_path / "a", [3] * 50), made.corpus(tmp_path / "b", [4] * 50)
    order = Order([one, two], seed=0)
    held, numbers = order.read(np.arange(len(order)))
    assert len(held) == 100
    assert len(np.unique(numbers)) == 100


@pytest.mark.parametrize("counts", [[3, 0, 2], [0, 0, 1], [4, 4, 4]])
def test_batches_are_counted_through(counts):
    epochs = Epochs(lambda epoch: counts[epoch % 3])
    expected = [(e, i) for e in range(9) for i in range(counts[e % 3])]
    assert [epochs.locate(n) for n in range(len(expected))] == expected
    assert epochs.locate(1) == expected[1]
    assert [epochs.count(e) for e in range(3)] == counts


def test_only_the_last_two_are_kept():
    kept = Kept()
    made_for = []
    for w in (0, 1, 0, 2, 2, 0):
        kept.made((0, w), lambda w=w: made_for.append(w))
    assert made_for == [0, 1, 2, 0]


def test_a_corpus_without_documents_has_no_batches():
    with pytest.raises(AssertionError, match="without documents"):
        Order([], 0)
