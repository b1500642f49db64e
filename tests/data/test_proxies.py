import pytest

from zhuji.core.records import Record
from zhuji.core.seed import stream
from zhuji.data.proxies import proxies

RNG = stream(0, "proxy test")
LABELS = RNG.choice(["ham", "spam"], 400, p=[0.7, 0.3]).tolist()
CODE = {"ham": 0, "spam": 1}


def found(labels, **columns):
    return {
        p.column: p
        for p in proxies(
            [Record(id=str(i), input="x", label=y, extra={k: v[i] for k, v in columns.items()}) for i, y in enumerate(labels)]
        )
    }


def test_copies_and_codes_of_the_label_are_one_to_one():
    got = found(LABELS, copy=LABELS, code=[CODE[y] for y in LABELS], chance=RNG.integers(0, 5, 400).tolist())
    assert sorted(got) == ["code", "copy"]
    assert all(p.one_to_one and p.score == 1 for p in got.values())
    plain = max(LABELS.count("ham"), LABELS.count("spam")) / 400
    assert got["copy"].plain == pytest.approx(plain, abs=0.05)


def test_a_column_known_only_afterwards_is_found_though_it_errs():
    noisy = [CODE[y] if RNG.random() > 0.01 else 1 - CODE[y] for y in LABELS]
    finer = [f"{y}-{RNG.integers(4)}" for y in LABELS]
    got = found(LABELS, noisy=noisy, finer=finer)
    assert sorted(got) == ["finer", "noisy"]
    assert not any(p.one_to_one for p in got.values())
    assert got["noisy"].score > 0.95


def test_helpful_and_unique_columns_are_no_proxies():
    helpful = [CODE[y] if RNG.random() > 0.2 else 1 - CODE[y] for y in LABELS]
    assert not found(
        LABELS, helpful=helpful, number=list(range(400)), words=[f"title {i}" for i in range(400)], same=["x"] * 400
    )


def test_a_measured_number_that_gives_a_label_away_is_found_in_bins():
    assert sorted(found(LABELS, amount=[CODE[y] * 100 + RNG.random() for y in LABELS])) == ["amount"]


def test_numbers_as_labels():
    labels = RNG.normal(size=400).tolist()
    got = found(labels, twice=[2 * y for y in labels], noise=RNG.normal(size=400).tolist(), missing=[None] * 400)
    assert sorted(got) == ["twice"]


def test_many_labels_and_edges():
    many = [("a", "b") if y == "ham" else ("c",) for y in LABELS]
    assert sorted(found(many, copy=["|".join(y) for y in many])) == ["copy"]
    assert not found(["a", "b"], copy=["a", "b"])
    assert not found([None] * 10, copy=["a"] * 10)
