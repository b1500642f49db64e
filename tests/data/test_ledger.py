"""The account of rows against counts that a plain list of fates gives."""

import json
from collections import Counter
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.data.ledger import FATES, UNKNOWN, Entry, Ledger

CAUSES = st.sampled_from(["", "too long", "empty text", "ragged row"])
LABELS = (
    st.none() | st.sampled_from(["a", "b", "鸟"]) | st.lists(st.sampled_from("ab"), max_size=2).map(tuple) | st.floats(-2, 2)
)
SETTLED = st.tuples(st.sampled_from(FATES), CAUSES, st.none() | st.sampled_from(["train", "test"]), LABELS, st.integers(1, 5))


def settled(rows: list[tuple], read: int | None = None) -> Ledger:
    ledger = Ledger(sum(row[-1] for row in rows) if read is None else read)
    for fate, cause, split, label, count in rows:
        ledger.settle(fate, cause, split=split, label=label, rows=count)
    return ledger


@pytest.fixture
def ledger() -> Ledger:
    """Ten rows: six used, one cut, three dropped."""
    ledger = Ledger(read=10)
    ledger.settle("used", split="train", label="a", rows=4)
    ledger.settle("used", split="test", label="b", rows=2)
    ledger.settle("cut", "too long", split="train", label="b")
    ledger.drop("empty text", split="train", label="a", rows=2)
    ledger.drop("ragged row")
    return ledger


def test_read_is_used_and_cut_and_dropped(ledger: Ledger) -> None:
    assert (ledger.total("used"), ledger.total("cut"), ledger.total("dropped")) == (6, 1, 3)
    assert ledger.total() == ledger.read == 10
    assert ledger.balanced


@pytest.mark.parametrize("read", [9, 11])
def test_a_row_too_many_or_too_few_unbalances_it(ledger: Ledger, read: int) -> None:
    ledger.read = read
    assert not ledger.balanced
    assert ledger.as_dict()["balanced"] is False


def test_an_empty_ledger_is_balanced() -> None:
    assert Ledger().balanced


@pytest.mark.parametrize(
    ("fate", "where", "rows"),
    [
        (None, {"split": "train"}, 7),
        (None, {"label": "b"}, 3),
        (None, {"split": "train", "label": "a"}, 6),
        ("used", {"split": "train"}, 4),
        ("dropped", {"cause": "empty text"}, 2),
        ("dropped", {"split": UNKNOWN}, 1),
        ("dropped", {"label": UNKNOWN, "cause": "ragged row"}, 1),
        ("cut", {"split": "test"}, 0),
        ("used", {"cause": "too long"}, 0),
    ],
)
def test_total_where(ledger: Ledger, fate: str | None, where: dict[str, str], rows: int) -> None:
    assert ledger.total(fate, **where) == rows  # type: ignore[arg-type]


def test_total_by_what_no_entry_has_is_our_mistake(ledger: Ledger) -> None:
    with pytest.raises(AttributeError):
        ledger.total(colour="red")


def test_causes_and_splits(ledger: Ledger) -> None:
    assert ledger.causes("dropped") == {"empty text": 2, "ragged row": 1}
    assert ledger.causes("cut") == {"too long": 1}
    assert list(ledger.splits()) == [UNKNOWN, "test", "train"]


@pytest.mark.parametrize(
    ("label", "name"),
    [("spam", "spam"), (None, UNKNOWN), (("news", "sport"), "news|sport"), ((), ""), (2.5, "2.5"), (0.0, "0.0"), ("", "")],
)
def test_each_kind_of_label_has_a_name(label: object, name: str) -> None:
    """No label at all, an empty set of labels and the number 0 are three things."""
    ledger = Ledger()
    ledger.settle("used", split="train", label=label)  # type: ignore[arg-type]
    assert [entry.label for entry in ledger.fates] == [name]


def test_as_dict_is_what_a_reader_of_the_json_expects(ledger: Ledger) -> None:
    ledger.moved["test -> train"] += 2
    ledger.added["b"] += 3
    ledger.units, ledger.units_cut = 70, 5
    found = ledger.as_dict()
    assert {key: found[key] for key in ("read", "used", "cut", "dropped", "balanced", "units", "units_cut")} == {
        "read": 10, "used": 6, "cut": 1, "dropped": 3, "balanced": True, "units": 70, "units_cut": 5,
    }  # fmt: skip
    assert found["causes"] == {"cut": {"too long": 1}, "dropped": {"empty text": 2, "ragged row": 1}}
    assert (found["moved"], found["added"], found["changes"]) == ({"test -> train": 2}, {"b": 3}, {})
    assert {"fate": "used", "cause": "", "split": "train", "label": "a", "rows": 4} in found["rows"]
    assert sum(row["rows"] for row in found["rows"]) == 10


@given(st.lists(SETTLED, max_size=12), st.dictionaries(st.sampled_from("xy"), st.integers(1, 9)), st.integers(0, 99))
def test_through_json_and_back(rows: list[tuple], counts: dict[str, int], units: int) -> None:
    ledger = settled(rows, read=units)
    ledger.changes.update(counts)
    ledger.moved.update({f"{key} moved": n for key, n in counts.items()})
    ledger.added.update({f"{key} added": n + 1 for key, n in counts.items()})
    ledger.units, ledger.units_cut = units, units // 2
    assert Ledger.from_dict(json.loads(json.dumps(ledger.as_dict()))) == ledger


@given(st.lists(SETTLED, max_size=12))
def test_totals_are_those_of_a_plain_list(rows: list[tuple]) -> None:
    ledger = settled(rows)
    assert ledger.balanced
    flat = [(fate, cause, split or UNKNOWN) for fate, cause, split, _, count in rows for _ in range(count)]
    for fate in FATES:
        assert ledger.total(fate) == sum(f == fate for f, _, _ in flat)
        assert ledger.causes(fate) == Counter(cause for f, cause, _ in flat if f == fate)
        for split in ("train", "test", UNKNOWN):
            assert ledger.total(fate, split=split) == flat.count((fate, "", split)) + sum(
                f == fate and cause != "" and s == split for f, cause, s in flat
            )


def test_an_entry_is_sorted_by_fate_first() -> None:
    entries = [Entry("used", "", "a", "a"), Entry("cut", "z", "z", "z"), Entry("dropped", "a", "a", "a")]
    assert [astuple(entry)[0] for entry in sorted(entries)] == ["cut", "dropped", "used"]
