from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhuji.core.errors import NoRole, TooFewRows
from zhuji.core.records import Record
from zhuji.core.seed import stream
from zhuji.data.settings import SplitSettings
from zhuji.data.split import assign, method, moments, strata


def records(labels, **columns):
    return [
        Record(id=f"row-{i}", input=f"text {i}", label=label, **{k: v[i] for k, v in columns.items()})
        for i, label in enumerate(labels)
    ]


def alone(rows):
    return np.arange(len(rows))


@pytest.mark.parametrize("by", ["random", "stratified"])
def test_sizes_are_what_was_asked(by):
    rows = records(["a"] * 600 + ["b"] * 300 + ["c"] * 100)
    parts = assign(rows, alone(rows), SplitSettings(by=by, valid=0.1, test=0.2), 0)
    assert np.bincount(parts).tolist() == [700, 100, 200]


def test_stratified_gives_every_class_its_share():
    rows = records(["a"] * 600 + ["b"] * 300 + ["c"] * 100)
    parts = assign(rows, alone(rows), SplitSettings(by="stratified"), 0)
    assert Counter((r.label, int(p)) for r, p in zip(rows, parts)) == {
        ("a", 0): 420, ("a", 1): 60, ("a", 2): 120, ("b", 0): 210, ("b", 1): 30, ("b", 2): 60, ("c", 0): 70, ("c", 1): 10, ("c", 2): 20,
    }  # fmt: skip


def test_many_small_classes_add_up_and_none_vanishes_from_train():
    rows = records([f"c{i // 2}" for i in range(200)] + ["once"])
    parts = assign(rows, alone(rows), SplitSettings(), 0)
    assert {r.label for r, p in zip(rows, parts) if p == 0} == {r.label for r in rows}
    assert np.bincount(parts)[2] == 40
    assert 18 <= np.bincount(parts)[1] <= 21


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.sampled_from("aaaabbc"), min_size=12, max_size=80),
    size=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_blocks_are_never_torn_and_no_class_is_lost(labels, size, seed):
    rows = records(labels)
    block = stream(seed, "blocks").permutation(len(rows)) // size
    parts = assign(rows, block, SplitSettings(valid=0.2, test=0.2), seed) if len(set(block)) > 8 else block * 0
    assert set(np.unique(parts)) <= {0, 1, 2}
    for b in np.unique(block):
        assert len(set(parts[block == b])) == 1
    assert {r.label for r, p in zip(rows, parts) if p == 0} == set(labels)


def test_groups_come_close_to_the_sizes_asked():
    rng = stream(2, "groups")
    block = np.repeat(np.arange(120), rng.integers(1, 30, 120))
    rows = records(rng.choice(["a", "b"], len(block)).tolist(), group=[f"g{b}" for b in block])
    share = np.bincount(assign(rows, block, SplitSettings(by="group"), 0)) / len(rows)
    assert share == pytest.approx([0.7, 0.1, 0.2], abs=0.02)


def test_the_newest_rows_are_tested():
    rng = stream(1, "time")
    days = rng.permutation(100)
    rows = records(["a", "b"] * 50, time=[f"2024-{1 + d // 28:02}-{1 + d % 28:02}" for d in days])
    parts = assign(rows, alone(rows), SplitSettings(by="time"), 0)
    assert np.bincount(parts).tolist() == [70, 10, 20]
    assert days[parts == 0].max() < days[parts == 1].min() < days[parts == 1].max() < days[parts == 2].min()


def test_rows_of_one_moment_stay_together():
    rows = records(["a"] * 90, time=[str(2000 + i // 30) for i in range(90)])
    parts = assign(rows, alone(rows), SplitSettings(by="time", valid=0, test=0.3), 0)
    assert np.bincount(parts, minlength=3).tolist() == [60, 0, 30]


def test_moments_of_many_ways_to_write_a_time():
    def of(*times):
        return moments(records(["a"] * len(times), time=times))

    same = of(
        "2024-03-01", "2024/3/1", "2024-03-01T00:00:00Z", "2024-03-01 00:00:00", "2024年3月1日", "Fri, 01 Mar 2024 00:00:00 GMT"
    )
    assert set(same) == {1709251200.0}
    assert of("17", "1e3", " 2.5 ") == [17, 1000, 2.5]
    assert np.isnan(of("yesterday", "", None, "nan", "inf", "2024-13-41")).all()


def test_a_given_split_is_kept_and_the_missing_part_is_cut_from_train():
    given_ = ["train"] * 80 + ["test"] * 20
    rows = records(["a", "b"] * 50, split=given_)
    parts = assign(rows, alone(rows), SplitSettings(valid=0.1), 0)
    assert (parts[80:] == 2).all()
    assert np.bincount(parts[:80]).tolist() == [72, 8]
    rows = records(["a", "b"] * 50, split=["train"] * 70 + ["valid"] * 30)
    parts = assign(rows, alone(rows), SplitSettings(test=0.2), 0)
    assert (parts[70:] == 1).all()
    assert np.bincount(parts[:70]).tolist() == [56, 0, 14]


def test_another_seed_gives_another_split():
    rows = records(["a", "b"] * 50)
    one, same, other = (assign(rows, alone(rows), SplitSettings(), s).tolist() for s in (0, 0, 1))
    assert one == same != other


def test_too_few_rows():
    rows = records(["a"])
    with pytest.raises(TooFewRows):
        assign(rows, alone(rows), SplitSettings(), 0)
    rows = records(["a"] * 20)
    with pytest.raises(TooFewRows):
        assign(rows, np.zeros(20, int), SplitSettings(), 0)
    rows = records(["a"] * 4, split=["test", "test", "valid", "valid"])
    with pytest.raises(TooFewRows, match="train"):
        assign(rows, alone(rows), SplitSettings(), 0)


def test_a_part_of_size_zero_is_not_made():
    rows = records(["a", "b"] * 10)
    assert set(assign(rows, alone(rows), SplitSettings(valid=0, test=0), 0).tolist()) == {0}


def test_auto_goes_by_the_columns_there_are():
    assert method(SplitSettings(), records(["a"], group=["g"], time=["1"])) == "group"
    assert method(SplitSettings(), records(["a"], time=["1"])) == "time"
    assert method(SplitSettings(), records(["a"])) == "stratified"
    assert method(SplitSettings(by="random"), records(["a"], group=["g"])) == "random"


@pytest.mark.parametrize(("by", "other"), [("time", "group"), ("group", "time")])
def test_a_split_by_a_column_that_is_not_there_is_refused(by, other):
    rows = records(["a", "b"] * 10, **{other: ["1", "2"] * 10}, extra=[{"age": "7", "town": "x"}] * 20)
    with pytest.raises(NoRole, match="age, town") as caught:
        assign(rows, alone(rows), SplitSettings(by=by), 0)
    assert caught.value.facts["role"] == by
    given_ = records(["a"] * 3, split=["train", "valid", "test"])
    assert assign(given_, alone(given_), SplitSettings(by=by), 0).tolist() == [0, 1, 2]


def test_strata():
    assert len(set(strata(["a", "b", "a", None]).tolist())) == 3
    assert strata([float(i) for i in range(20)]).tolist() == [i // 2 for i in range(20)]
    often, rare, both, none = strata([("x",), ("y",), ("x", "y"), ()] + [("x",)] * 5)[:4].tolist()
    assert both == rare != often != none


def test_a_class_whose_only_block_would_be_tested_is_learned_instead():
    rows = records(["a"] * 70 + ["a"] * 20 + ["rare"] + ["a"] * 30)
    block = np.concatenate([np.zeros(70), np.ones(21), np.arange(2, 32)]).astype(int)
    parts = assign(rows, block, SplitSettings(), 0)
    assert (parts[70:91] == 0).all()
    assert set(parts.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("seed", range(8))
def test_a_tenth_of_numbers_is_no_class_that_train_must_keep(seed):
    numbers = stream(seed, "numbers").standard_normal(24).tolist()
    rows = records(numbers, group=[f"g{i % 4}" for i in range(24)])
    parts = assign(rows, np.arange(24) % 4, SplitSettings(), seed)
    assert {0, 1, 2} == set(parts.tolist())
