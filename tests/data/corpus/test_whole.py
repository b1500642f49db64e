from collections import Counter

import numpy as np
import pytest

from tests.data.corpus import made
from zhuji.data.corpus import blocks
from zhuji.data.corpus import whole as module
from zhuji.data.corpus.whole import Whole

WINDOW = 9_000


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return made.corpus(tmp_path_factory.mktemp("whole") / "c", made.lengths_of(900), made.lengths_of(90, 4.0))


def stream_of(held, **kwargs):
    return Whole([held], 128, **{"seed": 1, "batch_units": 1024, "window_bytes": WINDOW, **kwargs})


@pytest.mark.parametrize("size", [{"batch_units": 1024}, {"batch_units": None, "batch_rows": 7}, {"batch_rows": 9}])
def test_an_epoch_holds_every_document_once_within_the_budget(held, size):
    stream = stream_of(held, **size)
    lengths = {(b << 32) + i: n for b in range(len(held.blocks)) for i, n in enumerate(held.read(b).lengths.tolist())}
    number = 0
    for epoch in range(2):
        seen = Counter()
        for _ in range(stream.batches_in_epoch(epoch)):
            rows, length = stream.rows(number), stream.length(number)
            assert rows
            assert length in stream.lengths_used
            assert size.get("batch_units", 1024) is None or len(rows) * length <= 1024
            assert len(rows) <= size.get("batch_rows", 10**6)
            for row in rows:
                (document,) = row.documents.tolist()
                assert len(row) == min(lengths[document], 128) <= length
                seen[document] += 1
            number += 1
        assert seen == dict.fromkeys(lengths, 1)
    assert stream.locate(number) == (2, 0)


def test_batches_are_of_like_length_and_come_in_another_order(held):
    stream = stream_of(held, window_bytes=1 << 20)
    batches = stream.batches_in_epoch(0)
    padded = sum(len(stream.rows(n)) * stream.length(n) for n in range(batches))
    units = sum(len(row) for n in range(batches) for row in stream.rows(n))
    assert len(stream.lengths_used) <= 12
    assert units / padded > 0.85
    lengths = [stream.length(n) for n in range(batches)]
    assert lengths != sorted(lengths)


def test_a_batch_follows_from_seed_and_number_alone(held):
    a, b = stream_of(held), stream_of(held)
    total = a.batches_in_epoch(0) + a.batches_in_epoch(1)
    walked = [a.documents(n).tolist() for n in range(total)]
    for n in (total - 1, 0, total // 2):
        assert b.documents(n).tolist() == walked[n]
    assert stream_of(held, seed=2).documents(0).tolist() != walked[0]


def test_any_number_of_ranks_shares_the_same_batches_also_when_it_changes_in_mid_epoch(held):
    one = stream_of(held)
    batches = one.batches_in_epoch(0)
    streams = {w: [stream_of(held, rank=r, world=w) for r in range(w)] for w in (1, 2, 3)}
    for n in range(batches):
        parts = streams[(1, 2, 3)[min(3 * n // batches, 2)]]
        assert [d for part in parts for d in part.documents(n).tolist()] == one.documents(n).tolist()
        assert len({part.length(n) for part in parts}) == 1


@pytest.mark.parametrize("worlds", [(1, 2, 1), (1, 3, 1), (2, 3), (3, 1, 2, 5)])
def test_a_run_that_goes_on_with_other_workers_sees_every_document_once(held, worlds):
    batches = stream_of(held).batches_in_epoch(0)
    stops = [batches * i // len(worlds) for i in range(len(worlds) + 1)]
    seen = Counter()
    for world, begin, end in zip(worlds, stops, stops[1:], strict=False):
        for rank in range(world):  # each a process of its own, which knows nothing of those before
            worker = stream_of(held, rank=rank, world=world)
            assert worker.batches_in_epoch(0) == batches
            for n in range(begin, end):
                seen.update(worker.documents(n).tolist())
    assert 0 < stops[1] < batches
    assert seen == {(b << 32) + i: 1 for b in range(len(held.blocks)) for i in range(len(held.read(b)))}


def test_more_windows_than_are_looked_at_to_choose_lengths_change_nothing_else(held, monkeypatch):
    monkeypatch.setattr(module, "WINDOWS", 2)
    monkeypatch.setattr(blocks, "CHUNK", 3)
    stream = stream_of(held)
    lengths = np.minimum(np.concatenate([held.read(b).lengths for b in range(len(held.blocks))]), 128)
    fallen = np.searchsorted(stream.lengths_used, lengths)
    assert stream._counts.sum(0).tolist() == np.bincount(fallen, minlength=len(stream.lengths_used)).tolist()
    seen = Counter(d for n in range(stream.batches_in_epoch(0)) for d in stream.documents(n).tolist())
    assert seen == {(b << 32) + i: 1 for b in range(len(held.blocks)) for i in range(len(held.read(b)))}


def test_a_document_longer_than_the_budget_is_a_batch_of_its_own(tmp_path):
    held = made.corpus(tmp_path / "c", [5, 90, 90])
    stream = Whole([held], 100, 0, batch_units=50)
    assert sorted(len(stream.rows(n)) for n in range(stream.batches_in_epoch(0))) == [1, 1, 1]
    assert np.concatenate([stream.documents(n) for n in range(3)]).size == 3
