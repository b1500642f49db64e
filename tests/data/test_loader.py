import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhuji.core.seed import stream
from zhuji.data.loader import BUCKETS, Loader, best_lengths

LENGTHS = stream(0, "lengths").geometric(1 / 60, 5000).clip(1, 400)


def rows_of(plans):
    return np.concatenate([p.rows for p in plans]) if plans else np.empty(0, np.int64)


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 300), max_size=120),
    units=st.integers(1, 2000),
    limit=st.one_of(st.none(), st.integers(1, 9)),
    world=st.integers(1, 5),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_no_row_is_lost_or_doubled_over_ranks(lengths, units, limit, world, epoch, shuffle):
    loaders = [
        Loader(np.array(lengths, int), batch_units=units, batch_rows=limit, seed=1, shuffle=shuffle, rank=r, world=world)
        for r in range(world)
    ]
    plans = [loader.epoch(epoch) for loader in loaders]
    assert {len(p) for p in plans} == {loaders[0].steps_in_epoch(epoch)}
    assert sorted(rows_of([p for own in plans for p in own]).tolist()) == list(range(len(lengths)))
    for step in zip(*plans):
        assert len({p.length for p in step}) == 1
        rows = rows_of(step)
        assert max((max(lengths[i], 1) for i in rows), default=1) <= step[0].length
        assert len(rows) == 1 or len(rows) * step[0].length <= units
        assert limit is None or len(rows) <= limit
        assert max(len(p.rows) for p in step) - min(len(p.rows) for p in step) <= 1


def test_shapes_are_few_and_all_batches_but_the_last_are_full():
    loader = Loader(LENGTHS, batch_units=4096, seed=0)
    assert len(loader.lengths_used) <= BUCKETS
    assert loader.lengths_used[-1] == LENGTHS.max()
    for epoch in range(3):
        *full, _ = loader.epoch(epoch)
        assert all(len(p.rows) == 4096 // p.length for p in full)
        assert {p.length for p in full} <= set(loader.lengths_used)


def test_the_same_seed_and_epoch_give_the_same_batches_whatever_came_before():
    a, b = (Loader(LENGTHS, batch_units=4096, seed=3) for _ in range(2))
    a.epoch(0), a.epoch(5)
    for x, y in zip(a.epoch(2), b.epoch(2), strict=True):
        assert x.length == y.length
        assert x.rows.tolist() == y.rows.tolist()
    first, other = rows_of(b.epoch(2)), rows_of(Loader(LENGTHS, batch_units=4096, seed=4).epoch(2))
    assert first.tolist() != rows_of(b.epoch(3)).tolist()
    assert first.tolist() != other.tolist()


def test_any_step_can_be_found_again():
    loader = Loader(LENGTHS, batch_units=4096, seed=3)
    steps = loader.steps_in_epoch(0)
    walked = [plan for epoch in range(3) for plan in loader.epoch(epoch)]
    assert len(walked) == 3 * steps
    again = Loader(LENGTHS, batch_units=4096, seed=3)
    for step in (2 * steps + 1, 0, steps - 1, steps, 3 * steps - 1):
        assert again.locate(step) == (step // steps, step % steps)
        assert again.plan(step).rows.tolist() == walked[step].rows.tolist()


def test_a_sampled_epoch_holds_its_sample_and_steps_are_found():
    def sample(epoch):
        return np.arange(epoch, 5000, 3 + epoch)

    loader = Loader(LENGTHS, batch_units=2048, seed=0, indexes=sample)
    for epoch in range(3):
        assert sorted(rows_of(loader.epoch(epoch)).tolist()) == sample(epoch).tolist()
        assert len(loader.epoch(epoch)) == loader.steps_in_epoch(epoch)
    step = loader.steps_in_epoch(0) + loader.steps_in_epoch(1) + 2
    assert loader.locate(step) == (2, 2)
    assert loader.plan(step).rows.tolist() == loader.epoch(2)[2].rows.tolist()


def test_without_shuffling_rows_of_a_bucket_stay_in_order():
    loader = Loader(np.full(10, 7), batch_units=28, seed=0, shuffle=False)
    assert [p.rows.tolist() for p in loader.epoch(0)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [p.rows.tolist() for p in loader.epoch(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_waste_is_the_share_of_padding_and_small():
    loader = Loader(LENGTHS, batch_units=4096, seed=0)
    plans = loader.epoch(1)
    padded = sum(len(p.rows) * p.length for p in plans)
    assert loader.waste(1) == pytest.approx(1 - LENGTHS.sum() / padded)
    words = stream(0, "words").lognormal(np.log(75), 0.5, 20_000).astype(int).clip(1, 256)  # as package descriptions have them
    assert Loader(words, batch_units=8192, seed=0).waste(0) < 0.12
    assert Loader(np.full(64, 9), batch_units=100, seed=0).waste(0) == 0


def test_batches_come_in_another_order_than_length():
    lengths = [p.length for p in Loader(LENGTHS, batch_units=4096, seed=0).epoch(0)]
    assert lengths != sorted(lengths)


def test_a_row_longer_than_the_budget_is_a_batch_of_its_own():
    loader = Loader(np.array([5, 500, 700]), batch_units=100, seed=0)
    assert sorted(len(p.rows) for p in loader.epoch(0)) == [1, 1, 1]


def test_no_rows():
    loader = Loader(np.empty(0, int), batch_units=100, seed=0)
    assert loader.epoch(0) == []
    assert loader.steps_in_epoch(0) == 0
    assert loader.waste(0) == 0
    assert loader.lengths_used == ()


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 4))
def test_bucket_lengths_pad_least(lengths, most):
    """Against trying every choice of lengths."""
    from itertools import combinations

    def padding(buckets):
        return sum(min(b for b in buckets if b >= n) - n for n in lengths)

    distinct = sorted(set(lengths))
    for buckets in best_lengths(np.array(lengths), most):
        choices = [(*c, distinct[-1]) for c in combinations(distinct[:-1], len(buckets) - 1)]
        assert padding(buckets) == min(map(padding, choices))
