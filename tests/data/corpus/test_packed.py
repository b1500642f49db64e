from collections import Counter

import numpy as np
import pytest

from tests.data.corpus import made
from zhuji.data.corpus.packed import Packed

WINDOW = 9_000


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return made.corpus(tmp_path_factory.mktemp("packed") / "c", made.lengths_of(700), made.lengths_of(90, 4.0))


def units_of(rows):
    return Counter(np.concatenate([row.arrays["ids"] for row in rows]).tolist()) if rows else Counter()


def whole(held):
    return units_of([made_row for i in range(len(held.blocks)) for made_row in [held.read(i)]])


def epoch_rows(stream, epoch):
    first = sum(stream.batches_in_epoch(e) for e in range(epoch))
    return [row for n in range(first, first + stream.batches_in_epoch(epoch)) for row in stream.rows(n)]


def test_an_epoch_holds_every_unit_once_in_full_rows(held):
    stream = Packed([held], 64, 4, seed=1, window_bytes=WINDOW)
    for epoch in range(3):
        rows = epoch_rows(stream, epoch)
        assert units_of(rows) == whole(held)
        windows = len(stream._plan(epoch)[0])
        assert windows > 3
        assert sum(len(row) < 64 for row in rows) <= windows
        assert max(map(len, rows)) == 64


def test_pieces_are_pieces_of_their_documents(held):
    stream = Packed([held], 64, 4, seed=1, window_bytes=WINDOW)
    blocks = [held.read(i) for i in range(len(held.blocks))]
    got = Counter()
    for row in epoch_rows(stream, 0):
        assert len(row.lengths) == len(row.documents)
        assert len(row) == len(row.arrays["ids"]) == len(row.arrays["words"])
        for number, piece in zip(row.documents.tolist(), row.pieces, strict=True):
            block, place = blocks[number >> 32], number & 0xFFFFFFFF
            start = int(block.lengths[:place].sum())
            assert set(piece["ids"].tolist()) == {int(block.arrays["ids"][start])}
            got[number] += len(piece["ids"])
    assert got == {(b << 32) + i: n for b, block in enumerate(blocks) for i, n in enumerate(block.lengths.tolist())}


def test_documents_are_mixed_and_in_another_order_each_epoch(held):
    stream = Packed([held], 64, 4, seed=1, window_bytes=WINDOW)
    first, second = (np.concatenate([row.documents for row in epoch_rows(stream, e)]) for e in range(2))
    assert first.tolist() != second.tolist()
    assert np.mean(np.diff(first) == 1) < 0.3


def test_a_batch_follows_from_seed_and_number_alone(held):
    a = Packed([held], 64, 4, seed=1, window_bytes=WINDOW)
    total = a.batches_in_epoch(0) + a.batches_in_epoch(1)
    walked = [[row.arrays["ids"].tolist() for row in a.rows(n)] for n in range(total)]
    b = Packed([held], 64, 4, seed=1, window_bytes=WINDOW)
    for n in (total - 1, 0, a.batches_in_epoch(0), total // 3):
        assert [row.arrays["ids"].tolist() for row in b.rows(n)] == walked[n]
    other = Packed([held], 64, 4, seed=2, window_bytes=WINDOW)
    assert [row.arrays["ids"].tolist() for row in other.rows(0)] != walked[0]


def test_any_number_of_ranks_shares_the_same_batches_also_when_it_changes_in_mid_epoch(held):
    one = Packed([held], 64, 5, seed=1, window_bytes=WINDOW)
    batches = one.batches_in_epoch(0)
    seen = Counter()
    for n in range(batches):
        world = (1, 2, 3)[min(3 * n // batches, 2)]
        parts = [Packed([held], 64, 5, seed=1, rank=r, world=world, window_bytes=WINDOW).rows(n) for r in range(world)]
        rows = [row for part in parts for row in part]
        assert [r.arrays["ids"].tolist() for r in rows] == [r.arrays["ids"].tolist() for r in one.rows(n)]
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        seen += units_of(rows)
    assert seen == whole(held)


@pytest.mark.parametrize("worlds", [(1, 2, 1), (1, 3, 1), (2, 3), (3, 1, 2, 5)])
def test_a_run_that_goes_on_with_other_workers_sees_every_unit_of_every_document_once(held, worlds):
    batches = Packed([held], 64, 5, seed=1, window_bytes=WINDOW).batches_in_epoch(0)
    stops = [batches * i // len(worlds) for i in range(len(worlds) + 1)]
    got = Counter()
    for world, begin, end in zip(worlds, stops, stops[1:], strict=False):
        for rank in range(world):  # each a process of its own, which knows nothing of those before
            worker = Packed([held], 64, 5, seed=1, rank=rank, world=world, window_bytes=WINDOW)
            assert worker.batches_in_epoch(0) == batches
            for n in range(begin, end):
                for row in worker.rows(n):
                    got.update(dict(zip(row.documents.tolist(), row.lengths.tolist(), strict=True)))
    assert 0 < stops[1] < batches
    lengths = [(b, held.read(b).lengths.tolist()) for b in range(len(held.blocks))]
    assert got == {(b << 32) + i: n for b, own in lengths for i, n in enumerate(own)}


def test_a_rank_without_rows_has_none(held):
    stream = Packed([held], 64, 1, seed=1, rank=1, world=2)
    assert stream.rows(0) == []
    assert stream.documents(0).tolist() == []


def test_a_source_of_weight_two_is_read_twice(tmp_path):
    held = made.corpus(tmp_path / "c", [10] * 300, [10] * 300, weights=(2.0, 1.0))
    units = units_of(epoch_rows(Packed([held], 64, 4, seed=0), 0))
    assert {units[n] for n in range(300)} == {20}
    assert {units[1000 + n] for n in range(300)} == {10}


def test_only_two_windows_are_held(held):
    stream = Packed([held], 64, 4, seed=1, window_bytes=WINDOW)
    for n in range(stream.batches_in_epoch(0)):
        stream.rows(n)
        assert len(stream._kept) <= 2
