import csv
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.heard import tone, written
from zhuji.core.errors import BadSetting, EmptyData, LeakFound, NoRole, OneClass, TooFewRows, TooManyDropped
from zhuji.core.records import SPLITS
from zhuji.core.seed import stream
from zhuji.data.duplicates import near_groups
from zhuji.data.ledger import Ledger
from zhuji.data.prepare import counted_as, limit_dropped, prepare
from zhuji.data.settings import BalanceSettings, DataSettings, SplitSettings

RNG = stream(0, "prepare test")
TEXTS = [
    "".join(chr(97 + c) for c in RNG.integers(0, 26, 60)) + " " + " ".join(map(str, RNG.integers(0, 99, 12))) for _ in range(60)
]


def write(folder, header, rows, name="data.csv"):
    path = Path(folder) / name
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def plain_rows(n=60):
    return [[TEXTS[i], "ham" if i % 3 else "spam"] for i in range(n)]


def test_a_plain_file_is_split_and_everything_is_told(tmp_path):
    ready = prepare(DataSettings(path=write(tmp_path, ["text", "label"], plain_rows())), 0)
    assert [r.row for r in ready.records] == list(range(1, 61))
    assert {name: len(ready.split(name)) for name in SPLITS} == {"train": 42, "valid": 6, "test": 12}
    assert {r.label for name in SPLITS for r in ready.split(name)} == {"ham", "spam"}
    assert ready.ledger.read == 60
    assert ready.leaks.clean
    assert ready.source["columns"] == ["text", "label"]
    assert ready.source["format"] == "csv"
    assert len(ready.fingerprint["data.csv"]["sha256"]) == 64


def test_the_seed_decides_and_a_seed_of_its_own_overrules_it(tmp_path):
    path = write(tmp_path, ["text", "label"], plain_rows())

    def splits(run_seed, **more):
        return [r.split for r in prepare(DataSettings(path=path, splits=SplitSettings(**more)), run_seed).records]

    assert splits(0) == splits(0) != splits(1)
    assert splits(0, seed=5) == splits(1, seed=5)


def test_copies_and_groups_stay_on_one_side_of_our_own_split(tmp_path):
    rows = [[TEXTS[i % 40] + ("" if i < 40 else " 7"), "ab"[i % 2], f"g{i % 40 // 2}"] for i in range(80)]
    ready = prepare(DataSettings(path=write(tmp_path, ["text", "label", "group"], rows), group="group"), 0)
    assert ready.leaks.rows == ready.leaks.kept == 0
    side = {}
    for r in ready.records:
        assert side.setdefault(r.group, r.split) == r.split
    for cluster in near_groups([r.input for r in ready.records], 0.8, 0):
        assert len({ready.records[i].split for i in cluster}) == 1


@pytest.mark.parametrize("by, sources", [("auto", 4), ("group", 1)])
def test_validation_holds_every_group_where_the_given_split_does(tmp_path, by, sources):
    """Groups such as four sources of texts, all of which stand in training and in test."""
    rows = [[*row, f"source {i % 4}", "test" if i % 5 == 0 else "train"] for i, row in enumerate(plain_rows())]
    path = write(tmp_path, ["text", "label", "source", "split"], rows)
    settings = DataSettings(path=path, group="source", splits=SplitSettings(by=by, valid=0.2))
    ready = prepare(settings, 0)
    assert len({r.group for r in ready.split("valid")}) == sources
    assert len(ready.split("test")) == 12 and ready.leaks.kept > 0


def leaky(tmp_path):
    rows = [[*row, "train" if i < 45 else "test"] for i, row in enumerate(plain_rows())]
    rows += [[TEXTS[0].upper(), "spam", "test"], [TEXTS[1] + " 5", "ham", "test"]]
    return write(tmp_path, ["text", "label", "split"], rows)


def test_what_two_voices_say_is_not_heard_in_training_and_in_the_test(tmp_path):
    """Two speakers cannot be kept apart in three splits; sentences can."""
    said = [
        word
        for word in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "red", "green")
        for _ in "ab"
    ]
    lines = ["file_name,transcript,speaker"]
    for number, word in enumerate(said):
        written(tmp_path / "clips" / f"{number}.wav", tone(200 + 60 * number, 0.2, seed=number))
        lines.append(f"clips/{number}.wav,{word} it is,{'ab'[number % 2]}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ready = prepare(DataSettings(path=str(tmp_path)), 0, task="transcribe")
    assert ready.roles.group == "speaker" and all(ready.split(name) for name in SPLITS)
    splits = [{r.split for r in ready.records if r.target == text} for text in {r.target for r in ready.records}]
    assert len(splits) == 12 and all(len(own) == 1 for own in splits)


def test_the_gate_moves_refuses_or_allows(tmp_path):
    path = leaky(tmp_path)
    moved = prepare(DataSettings(path=path, splits=SplitSettings(valid=0)), 0)
    assert moved.leaks.leaked == ["row-61", "row-62"]
    assert [r.split for r in moved.records[-2:]] == ["train", "train"]
    assert moved.ledger.moved == {"test -> train": 2}
    assert moved.leaks.found == {"exact": 1, "near": 1, "group": 0, "id": 0}
    with pytest.raises(LeakFound, match="exact 1, near 1"):
        prepare(DataSettings(path=path, leaks="refuse"), 0)
    allowed = prepare(DataSettings(path=path, leaks="allow", splits=SplitSettings(valid=0)), 0)
    assert allowed.leaks.leaked == ["row-61", "row-62"]
    assert [r.split for r in allowed.records[-2:]] == ["test", "test"]


def test_validation_is_cut_from_train_without_a_new_leak(tmp_path):
    ready = prepare(DataSettings(path=leaky(tmp_path)), 0)
    assert len(ready.split("test")) == 15
    assert len(ready.split("valid")) in (4, 5, 6)
    for cluster in near_groups([r.input for r in ready.records], 0.8, 0):
        assert len({ready.records[i].split for i in cluster}) == 1


def test_names_of_splits_and_unknown_ones(tmp_path):
    names = ["training", "Dev", "TEST", "train", "", "bogus"]
    rows = [[*row, names[i // 3 % 6]] for i, row in enumerate(plain_rows())]
    path = write(tmp_path, ["text", "label", "split"], rows)
    ready = prepare(DataSettings(path=path, split="split", max_dropped=0.5), 0)
    assert {name: len(ready.split(name)) for name in SPLITS} == {"train": 21, "valid": 12, "test": 9}
    assert ready.ledger.causes("dropped") == {"unknown split": 18}
    with pytest.raises(TooManyDropped, match="unknown split 18"):
        prepare(DataSettings(path=path, split="split", max_dropped=0.29), 0)


def test_files_by_split(tmp_path):
    train = write(tmp_path, ["text", "label"], plain_rows()[:50], "a.csv")
    test = write(tmp_path, ["text", "label"], [*plain_rows()[50:], plain_rows()[0]], "b.csv")
    ready = prepare(DataSettings(path=train, test_path=test), 0)
    assert len(ready.split("test")) == 10
    assert len(ready.leaks.leaked) == 1
    assert len({r.id for r in ready.records}) == 61


def test_time(tmp_path):
    rows = [[*row, f"2024-01-{1 + i // 2:02}" if i else "long ago"] for i, row in enumerate(plain_rows())]
    path = write(tmp_path, ["text", "label", "date"], rows)
    ready = prepare(DataSettings(path=path, time="date"), 0)
    assert ready.ledger.causes("dropped") == {"unreadable time": 1}
    assert max(r.time for r in ready.split("train")) < min(r.time for r in ready.split("valid"))
    assert max(r.time for r in ready.split("valid")) < min(r.time for r in ready.split("test"))


def test_copies_across_a_split_by_time_pass_the_gate(tmp_path):
    rows = [[*row, f"2024-01-{1 + i // 2:02}"] for i, row in enumerate(plain_rows())]
    rows[59][0] = rows[0][0]
    ready = prepare(DataSettings(path=write(tmp_path, ["text", "label", "date"], rows), time="date"), 0)
    assert ready.leaks.leaked == ["row-60"]
    assert ready.records[59].split == "train"


def test_a_proxy_column_is_reported(tmp_path):
    rows = [[*row, f"code {row[1]}"] for row in plain_rows()]
    ready = prepare(DataSettings(path=write(tmp_path, ["text", "label", "verdict"], rows), text=("text",), label=("label",)), 0)
    assert [p.column for p in ready.leaks.proxies] == ["verdict"]
    assert ready.leaks.proxies[0].one_to_one


def test_oversampling_adds_training_rows_at_the_end(tmp_path):
    balance = BalanceSettings(sample="over", augment="words")
    ready = prepare(DataSettings(path=write(tmp_path, ["text", "label"], plain_rows()), balance=balance), 0)
    assert Counter(r.label for r in ready.split("train")) == {"ham": 28, "spam": 28}
    assert ready.ledger.added == {"spam": 14}
    assert ready.ledger.read == 60
    assert all("+" in r.id for r in ready.records[60:])
    assert len(ready.split("test")) == 12


def test_a_task_can_be_insisted_on(tmp_path):
    rows = [[TEXTS[i], str(i / 7)] for i in range(60)]
    path = write(tmp_path, ["text", "label"], rows)
    assert {type(r.label) for r in prepare(DataSettings(path=path), 0, task="regress").records} == {float}
    rows = [[TEXTS[i], str(i % 2)] for i in range(60)]
    path = write(tmp_path, ["text", "label"], rows, "b.csv")
    assert {type(r.label) for r in prepare(DataSettings(path=path), 0, task="regress").records} == {float}
    assert {type(r.label) for r in prepare(DataSettings(path=path), 0, task="classify").records} == {str}


def test_what_cannot_be_trained_on(tmp_path):
    with pytest.raises(OneClass):
        prepare(
            DataSettings(path=write(tmp_path, ["text", "label"], [[t, "a"] for t in TEXTS], "one.csv"), label=("label",)), 0
        )
    with pytest.raises(TooFewRows):
        prepare(DataSettings(path=write(tmp_path, ["text", "label"], plain_rows(2), "two.csv")), 0)
    with pytest.raises((EmptyData, TooManyDropped)):
        prepare(DataSettings(path=write(tmp_path, ["text", "label"], [["", "a"]] * 9, "empty.csv"), text=("text",)), 0)
    with pytest.raises(NoRole):
        path = write(tmp_path, ["text"], [[t] for t in TEXTS], "bare.csv")
        prepare(DataSettings(path=path), 0, task="classify")


def test_the_limit_counts_exactly():
    ledger = Ledger(read=1000)
    ledger.drop("empty text", rows=10)
    limit_dropped(ledger, DataSettings(path="x", max_dropped=0.01))
    ledger.drop("empty text")
    with pytest.raises(TooManyDropped, match=r"1% .*11 of 1000"):
        limit_dropped(ledger, DataSettings(path="x", max_dropped=0.01))


ROW = st.tuples(
    st.one_of(st.sampled_from(TEXTS[:25]), st.sampled_from(TEXTS[:25]).map(str.upper), st.just(" ")),
    st.sampled_from(["a", "b", "b", ""]),
    st.sampled_from(["", "", *(f"g{i}" for i in range(12))]),
    st.sampled_from(["train", "train", "train", "dev", "test", "?", ""]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=20, max_size=50), st.booleans())
def test_every_row_has_one_fate_and_one_split(rows, with_split):
    header = ["text", "label", "group", *(["split"] if with_split else [])]
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, header, [row[: len(header)] for row in rows])
        asked = DataSettings(path=path, text=("text",), label=("label",), group="group", max_dropped=1)
        try:
            ready = prepare(asked, 0)
        except (TooFewRows, OneClass, EmptyData):
            return
    assert ready.ledger.read == len(rows)
    assert len(ready.records) + ready.ledger.total("dropped") == len(rows)
    assert {r.split for r in ready.records} <= set(SPLITS)
    assert sum(len(ready.split(name)) for name in SPLITS) == len(ready.records)
    assert len({r.id for r in ready.records}) == len(ready.records)
    for cluster in near_groups([r.input for r in ready.records], 0.8, 0):
        assert len({ready.records[i].split for i in cluster}) == 1
    if not ready.leaks.kept:
        side = {}
        for r in ready.records:
            assert r.group is None or side.setdefault(r.group, r.split) == r.split


@pytest.mark.parametrize("by", ["time", "group"])
def test_a_split_by_a_column_that_is_not_there(tmp_path, by):
    path = write(tmp_path, ["text", "label", "shade"], [[*row, "red"] for row in plain_rows()])
    with pytest.raises(NoRole, match=f"a {by} column must be found, .* shade"):
        prepare(DataSettings(path=path, splits=SplitSettings(by=by)), 0)


def test_labels_may_be_absent_only_where_none_are_needed(tmp_path):
    path = write(tmp_path, ["text"], [row[:1] for row in plain_rows()])
    with pytest.raises(NoRole, match="label"):
        prepare(DataSettings(path=path), 0)
    assert prepare(DataSettings(path=path), 0, task="any").roles.kind == "unlabelled"


def pairs(splits, origins=("a",)):
    return [[TEXTS[i], TEXTS[-1 - i], splits[i % len(splits)], origins[i % len(origins)]] for i in range(30)]


HEADER = ["source", "target", "split", "origin"]


def test_several_test_sets_are_kept_apart(tmp_path):
    splits = ["train", "train", "val", "test_2017", "test_2016"]
    ready = prepare(DataSettings(path=write(tmp_path, HEADER, pairs(splits))), 0)
    assert ready.roles.kind == "pair" and ready.more_tests == ("test_2017",)
    assert {name: len(ready.split(name)) for name in (*SPLITS, "test_2017")} == {
        "train": 12,
        "valid": 6,
        "test": 6,
        "test_2017": 6,
    }
    assert {r.row % 5 for r in ready.split("test")} == {0}
    plain = prepare(DataSettings(path=write(tmp_path, HEADER, pairs(["train", "val", "test", "test_b"]))), 0)
    assert plain.more_tests == ("test_b",)


def test_a_further_test_set_is_guarded_too(tmp_path):
    rows = pairs(["train", "train", "val", "test_a", "test_b"])
    rows[4][0] = rows[0][0]
    ready = prepare(DataSettings(path=write(tmp_path, HEADER, rows)), 0)
    assert ready.leaks.rows == 1 and len(ready.split("test_b")) == 5 and len(ready.split("train")) == 13


def test_groups_are_held_out(tmp_path):
    path = write(tmp_path, HEADER, pairs(["train", "train", "valid", "test"], ["a", "b", "c"]))
    settings = {"path": path, "group": "origin", "splits": SplitSettings(hold_out=("b",))}
    ready = prepare(DataSettings(**settings), 0)
    assert {r.group for r in ready.split("test")} == {"b"} and len(ready.split("test")) == 10
    assert {r.group for name in ("train", "valid") for r in ready.split(name)} == {"a", "c"}
    assert ready.more_tests == ("test_known",) and {r.group for r in ready.split("test_known")} == {"a", "c"}
    assert len(ready.split("test_known")) == 5 and not ready.ledger.total("dropped")
    with pytest.raises(BadSetting, match="hold_out"):
        prepare(DataSettings(**{**settings, "splits": SplitSettings(hold_out=("zzz",))}), 0)


def test_test_rows_of_groups_that_are_not_held_out_stay_where_they_were_given(tmp_path):
    """There are few of them beside the group that is held out: taken for leaks by group they would be moved into training."""
    rows = [
        [TEXTS[i], TEXTS[-1 - i], "test" if i in (5, 6) else "train", "aaccccccccbbbbbbbbbb"[i * 2 // 3]] for i in range(30)
    ]
    settings = DataSettings(path=write(tmp_path, HEADER, rows), group="origin", splits=SplitSettings(hold_out=("b",)))
    ready = prepare(settings, 0)
    assert {r.input for r in ready.split("test_known")} == {TEXTS[5], TEXTS[6]} and not ready.leaks.rows
    assert {r.group for name in ("train", "valid") for r in ready.split(name)} == {"a", "c"}


def test_a_group_that_is_held_out_does_not_follow_a_copy_into_training(tmp_path):
    """Its rows tied to each other would all go where one of them has a copy, and leave no test split."""
    rows = [[source, target, origin] for source, target, _, origin in pairs(["train"], ["a", "b", "c", "d", "e"])]
    rows[1][0] = rows[0][0]
    settings = {"path": write(tmp_path, ["source", "target", "origin"], rows), "group": "origin"}
    ready = prepare(DataSettings(**settings, splits=SplitSettings(hold_out=("b",))), 0)
    assert {r.group for r in ready.split("test")} == {"b"} and len(ready.split("test")) == 5
    assert ready.leaks.rows == 1 and sum(ready.leaks.moved.values()) == 1


def test_tagged_words_are_split_guarded_and_counted(tmp_path):
    sentences = [TEXTS[i % 25].split() for i in range(30)]
    tagged = ["".join(f"{word}\t{'O' if place else 'B-x'}\n" for place, word in enumerate(words)) for words in sentences]
    path = tmp_path / "a.conll"
    path.write_text("\n".join(tagged))
    ready = prepare(DataSettings(path=str(path)), 0)
    assert ready.roles.kind == "tag" and sum(len(ready.split(name)) for name in SPLITS) == 30
    # Copies stay on one side.
    where = {}
    for record in ready.records:
        where.setdefault(record.input, set()).add(record.split)
    assert len(where) == 25 and all(len(splits) == 1 for splits in where.values())
    assert not ready.leaks.conflicts


@pytest.mark.parametrize("task, role", [("tag", "label"), ("translate", "target")])
def test_a_task_insists_on_what_it_needs(tmp_path, task, role):
    with pytest.raises(NoRole, match=f"a {role} column"):
        prepare(DataSettings(path=write(tmp_path, ["text", "label"], plain_rows())), 0, task=task)


@pytest.mark.parametrize("task", ["translate", "transcribe", "speak"])
def test_who_wants_pairs_is_asked_for_no_label(tmp_path, task):
    rows = [[text, f"{text} again"] for text in TEXTS]
    with pytest.raises(NoRole, match=r"a target column must be found, .*--target"):
        prepare(DataSettings(path=write(tmp_path, ["one", "other"], rows)), 0, task=task)


# ----------------------------------------------------------------------------------------------------------- pictures


def test_a_picture_that_stands_in_two_splits_is_a_leak(tmp_path):
    """The same scene, once as PNG in train and once as JPEG of half the size in test."""
    from tests.data.test_marks import scene

    for split, first in (("train", 0), ("test", 20)):
        for n in range(first, first + 20):
            place = tmp_path / split / ("cat" if n % 2 else "dog")
            place.mkdir(parents=True, exist_ok=True)
            scene(n).save(place / f"{n}.png")
    scene(3).resize((64, 48)).save(tmp_path / "test/cat/copy.jpg", quality=90)
    found = prepare(DataSettings(path=str(tmp_path)), 0)
    assert found.leaks.found == {"exact": 0, "near": 1, "group": 0, "id": 0}
    assert found.leaks.moved == {"test -> train": 1}
    [pair] = found.leaks.pairs
    assert (pair.id_a, pair.id_b) == ("test/cat/copy.jpg", "train/cat/3.png") and pair.similarity > 0.8
    with pytest.raises(LeakFound):
        prepare(DataSettings(path=str(tmp_path), leaks="refuse"), 0)
    assert prepare(DataSettings(path=str(tmp_path), near=0), 0).leaks.clean


def test_rows_with_boxes_are_split_and_counted_by_their_classes(tmp_path):
    from tests.data.picture_sets.made import picture
    from tests.data.picture_sets.test_voc import note, written

    objects = {f"{n}": note(*[("cat" if n % 2 else "dog", 1, 1, 10, 5, "")] * (n % 3)) for n in range(30)}
    for n in objects:
        picture(tmp_path / f"JPEGImages/{n}.jpg", seed=int(n))
    written(tmp_path, objects, {})
    found = prepare(DataSettings(path=str(tmp_path)), 0)
    assert found.roles.kind == "detect" and len(found.records) == 30
    assert {counted_as(record) for record in found.records} == {(), ("cat",), ("dog",)}
    assert all(found.split(name) for name in ("train", "valid", "test"))
