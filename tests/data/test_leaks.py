import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhuji.core.errors import LeakFound
from zhuji.core.records import Record
from zhuji.data.duplicates import cluster_of
from zhuji.data.leaks import SHOWN, blocks, gate, numbered

TEXT = "the ferry to the northern island leaves every morning at six from the old harbour beside the market hall"
NEAR = TEXT.replace("morning", "evening")
OTHER = "a small library that reads and writes spreadsheets without any office suite being installed on the machine"


def guarded(rows, action="move"):
    """`rows`: (text, split, further fields)."""
    records = [Record(**{"id": f"row-{i}", "input": t, "label": "x", **more}) for i, (t, _, more) in enumerate(rows)]
    splits = np.array([s for _, s, _ in rows])
    cluster = cluster_of([t for t, _, _ in rows], 0.8, 0)
    after, leaks = gate(records, splits, cluster, action)
    return after.tolist(), leaks


FILLER = [(f"{w} " * 12, 2, {}) for w in ("alpha", "beta", "gamma", "delta", "epsilon")]


def test_each_kind_is_found_moved_and_remembered():
    rows = [
        (TEXT, 0, {"group": "g"}), (TEXT.upper(), 2, {}), (NEAR, 2, {}), (OTHER, 2, {"group": "g"}),
        ("quite another text here", 1, {"id": "same"}), ("nothing like the others", 2, {"id": "same"}), *FILLER,
    ]  # fmt: skip
    after, leaks = guarded(rows)
    assert after == [0, 0, 0, 0, 1, 1] + [2] * 5
    assert leaks.found == {"exact": 1, "near": 1, "group": 1, "id": 1}
    assert leaks.rows == 4
    assert leaks.leaked == ["row-1", "row-2", "row-3", "same"]
    assert leaks.moved == {"test -> train": 3, "test -> valid": 1}
    by_kind = {p.kind: p for p in leaks.pairs}
    assert (by_kind["exact"].id_a, by_kind["exact"].split_a, by_kind["exact"].id_b, by_kind["exact"].split_b) == (
        "row-1", "test", "row-0", "train",
    )  # fmt: skip
    assert by_kind["exact"].similarity == 1
    assert 0.8 <= by_kind["near"].similarity < 1
    assert not leaks.clean


def test_what_is_tied_to_a_moved_row_moves_along():
    rows = [(TEXT, 0, {}), (TEXT, 2, {"group": "g"}), (OTHER, 2, {"group": "g"}), *FILLER]
    after, leaks = guarded(rows)
    assert after[:3] == [0, 0, 0]
    assert leaks.leaked == ["row-1", "row-2"]


def test_allow_keeps_and_remembers():
    after, leaks = guarded([(TEXT, 0, {}), (NEAR, 2, {}), *FILLER], "allow")
    assert after == [0, 2] + [2] * 5
    assert leaks.leaked == ["row-1"]
    assert not leaks.moved


def test_refuse_says_what_it_found():
    with pytest.raises(LeakFound, match=r"2 do \(exact 1, near 1\)"):
        guarded([(TEXT, 0, {}), (NEAR, 2, {}), (TEXT, 1, {}), *FILLER], "refuse")
    after, leaks = guarded([(TEXT, 0, {}), (OTHER, 2, {})], "refuse")
    assert after == [0, 2]
    assert leaks.clean


def test_copies_within_a_split_are_no_leak():
    after, leaks = guarded([(TEXT, 0, {}), (TEXT, 0, {}), (OTHER, 2, {}), (OTHER, 2, {})])
    assert after == [0, 0, 2, 2]
    assert leaks.clean


def test_groups_that_a_given_split_cuts_through_are_kept_and_reported():
    rows = [(f"{i} " * 9 + f"{chr(97 + i)}" * 30, 0 if i < 8 else 2, {"group": f"g{i % 4}"}) for i in range(12)]
    rows.append((rows[0][0], 2, {}))
    after, leaks = guarded(rows)
    assert after == [0] * 8 + [2] * 4 + [0]
    assert leaks.kept == leaks.found["group"] == 4
    assert leaks.leaked == ["row-12"]
    assert not leaks.clean
    with pytest.raises(LeakFound):
        guarded(rows, "refuse")


def test_copies_with_other_labels_are_suspicious():
    rows = [(TEXT, 0, {"label": "a"}), (TEXT, 0, {"label": "a"}), (NEAR, 0, {"label": "b"}), (OTHER, 0, {"label": "c"})]
    conflicts = guarded(rows)[1].conflicts
    assert [(c.id_a, c.label_a, c.label_b) for c in conflicts] == [("row-2", "b", "a")]
    assert 0.8 <= conflicts[0].similarity < 1
    assert not guarded([(TEXT, 0, {"label": 1.0}), (TEXT, 0, {"label": 2.0})])[1].conflicts


def test_as_dict_is_json_and_bounded():
    rows = [(TEXT, 0, {}), *[(TEXT, 2, {}) for _ in range(SHOWN + 5)]]
    plain = json.loads(json.dumps(guarded(rows, "allow")[1].as_dict()))
    assert len(plain["pairs"]) == SHOWN
    assert plain["pairs_total"] == plain["rows"] == plain["found"]["exact"] == SHOWN + 5


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 6), st.one_of(st.none(), st.integers(0, 5)), st.integers(0, 30)),
        min_size=1,
        max_size=30,
    )
)
def test_after_move_nothing_stands_in_two_splits(rows):
    records = [Record(id=str(d), input=str(t), label="x", group=None if g is None else str(g)) for _, t, g, d in rows]
    splits = np.array([r[0] for r in rows])
    cluster = np.array([r[1] for r in rows])
    after, leaks = gate(records, splits, cluster, "move")
    assert (after <= splits).all()
    for key in ("input", "id", *(["group"] if not leaks.kept else [])):
        seen: dict[str, int] = {}
        for record, part in zip(records, after.tolist()):
            if (name := getattr(record, key)) is not None:
                assert seen.setdefault(name, part) == part
    assert leaks.rows == (after != splits).sum() == sum(leaks.moved.values())


def test_blocks_join_chains():
    a = np.array([0, 0, 1, 1, 2, 3])
    b = numbered(["x", "y", "y", "z", "z", None])
    assert len(set(blocks(a, b)[:5].tolist())) == 1
    assert blocks(a, b)[5] != blocks(a, b)[0]
    assert numbered([None, None, "a", "a"]).tolist() == [0, 1, 2, 2]


HOME = Path(__file__).parents[2]


def benchmark():
    spec = importlib.util.spec_from_file_location("planted_leaks", HOME / "benchmarks" / "planted_leaks.py")
    assert spec
    assert spec.loader
    sys.modules["planted_leaks"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("sample", "shortest"), [("en_reviews.csv", 17), ("zh_reviews.csv", 17)])
def test_planted_leaks_are_found_and_only_those(sample, shortest):
    """The benchmark on a real sample; texts so short that one changed word is more than 6 % are left out."""
    planted = benchmark()
    rows = [row for row in planted.read(HOME / "examples" / "data" / sample) if len(planted.cut(row["text"])) >= 2 * shortest]
    test = [row for row in rows if row["split"] == "test"]
    rows = [row for row in rows if row["split"] == "train"][:600] + test[:200]
    scores = planted.measure(rows, 1, planted.copies_by_nature(rows))
    assert set(scores) == {"exact", "whitespace", "case", "3 % of words", "group crossing", "column = label"}
    for kind, (score,) in scores.items():
        assert score.planted >= 2, kind
        assert score.recall >= 0.95, (kind, score)
        assert score.precision >= 0.95, (kind, score)
