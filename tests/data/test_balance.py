from collections import Counter

import numpy as np

from zhuji.core.records import Record
from zhuji.data.balance import MOST_COPIES, oversampled, undersampled


def rows(counts):
    return [
        Record(id=f"{label}{i}", input=f"one two three four five six {label} {i}", label=label, split="train")
        for label, n in counts.items()
        for i in range(n)
    ]


def test_classes_grow_to_the_largest():
    records = rows({"a": 40, "b": 15, "c": 8})
    made = oversampled(records, 0)
    assert Counter(r.label for r in records + made) == {"a": 40, "b": 40, "c": 40}
    assert len({r.id for r in records + made}) == 120
    assert {r.split for r in made} == {"train"}
    copies = Counter(r.id.partition("+")[0] for r in made if r.label == "b")
    assert set(copies.values()) == {1, 2}, "rows are copied in turn"
    by_id = {r.id: r for r in records}
    assert all(r.input == by_id[r.id.partition("+")[0]].input for r in made)


def test_growth_is_bounded():
    made = oversampled(rows({"a": 100, "b": 2}), 0)
    assert Counter(r.label for r in made) == {"b": 2 * MOST_COPIES - 2}


def test_nothing_is_made_of_even_classes():
    assert oversampled(rows({"a": 5, "b": 5}), 0) == []


def test_words_vary_the_copies_and_the_seed_decides():
    records = rows({"a": 40, "b": 10})
    plain, one, same, other = oversampled(records, 0), *(oversampled(records, s, words=True) for s in (0, 0, 1))
    assert one == same
    assert [r.input for r in one] != [r.input for r in other]
    assert sum(a.input != b.input for a, b in zip(plain, one)) > len(one) / 2


def test_undersampling_takes_as_many_of_each_and_loses_none_over_the_epochs():
    labels = ["a"] * 60 + ["b"] * 20 + ["c"] * 30
    of = undersampled(labels, 0)
    seen = set()
    for epoch in range(40):
        chosen = of(epoch)
        assert Counter(labels[i] for i in chosen) == {"a": 20, "b": 20, "c": 20}
        assert len(np.unique(chosen)) == 60
        seen.update(chosen.tolist())
    assert len(seen) == 110
    assert of(3).tolist() == undersampled(labels, 0)(3).tolist() != of(4).tolist()
