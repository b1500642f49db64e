import json
import random

import pytest

from tests.data.picture_sets.made import picture
from zhuji.core.errors import BadSetting, EmptyData, MissingColumn, NoReadableRow, NoRole
from zhuji.data import columns
from zhuji.data.infer import infer_roles
from zhuji.data.settings import DataSettings
from zhuji.data.sources import open_source

CHANCE = random.Random(7)
WORDS = [
    "the",
    "film",
    "was",
    "not",
    "at",
    "all",
    "what",
    "we",
    "had",
    "hoped",
    "for",
    "and",
    "yet",
    "its",
    "end",
    "made",
    "us",
    "smile",
]


def text(words=20):
    return " ".join(CHANCE.choice(WORDS) for _ in range(words))


def roles(tmp_path, rows, name="a.jsonl", **options):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) if isinstance(rows, list) else rows)
    settings = DataSettings(path=str(path), **options)
    return infer_roles(open_source(settings), settings)


def test_by_name_with_reasons(tmp_path):
    rows = [
        {"id": i, "title": text(3), "text": text(), "label": "ab"[i % 2], "user_id": f"u{i % 7}", "date": f"2024-01-{i % 28 + 1:02}",
         "split": ["train", "test"][i % 5 == 0]}
        for i in range(200)
    ]  # fmt: skip
    found = roles(tmp_path, rows)
    assert (found.text, found.label, found.kind) == (("text",), ("label",), "classify")
    assert (found.id, found.group, found.time, found.split) == ("id", "user_id", "date", "split")
    assert set(found.reasons) == {"id", "text", "label", "group", "time", "split", "kind"}
    assert found.reasons["label"] == "named 'label', 2 distinct values in 200 rows"
    assert found.reasons["split"] == "values test/train"


@pytest.mark.parametrize(
    ("columns", "named"),
    [(("评论内容", "情感"), "named"), (("Review-Text", "Sentiment"), "named"), (("tweet", "target"), "named"), (("foo", "bar"), "average"),
     (("v2", "v1"), "average"), (("beschreibung", "sorte"), "average")],
)  # fmt: skip
def test_text_and_label_under_many_names(tmp_path, columns, named):
    found = roles(tmp_path, [{columns[1]: "xyz"[i % 3], columns[0]: text()} for i in range(60)])
    assert (found.text, found.label) == ((columns[0],), (columns[1],))
    assert named in found.reasons["text"]


def test_reasons_are_in_the_language_of_the_person(tmp_path, monkeypatch):
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    rows = "id,text,label,user_id,date,split\n" + "".join(
        f"{i},{text()},{'ab'[i % 2]},u{i % 7},2024-01-{i % 28 + 1:02},{['train', 'test'][i % 5 == 0]}\n" for i in range(200)
    )
    found = roles(tmp_path, rows, "a.csv")
    assert found.reasons["label"] == "列名为「label」，200 行中有 2 个不同的值"
    told = {**found.reasons, **open_source(DataSettings(path=str(tmp_path / "a.csv"))).why}
    assert set(told) == {"id", "text", "label", "group", "time", "split", "kind", "encoding", "delimiter", "quotes", "header"}
    for reason in told.values():
        assert any("\u4e00" <= c <= "\u9fff" for c in reason), reason


def test_names_do_not_outweigh_the_content(tmp_path):
    rows = [{"text": i, "content": "ab"[i % 2], "stuff": text(), "mood": "cd"[i % 2]} for i in range(1, 60)]
    found = roles(tmp_path, rows)
    assert found.text == ("stuff",) and found.label == ("mood",)


def test_a_table_without_header(tmp_path):
    found = roles(tmp_path, "".join(f'"{text()}",{"pos" if i % 2 else "neg"}\n' for i in range(30)), "a.csv")
    assert (found.text, found.label) == (("column_1",), ("column_2",))


def test_a_column_of_few_repeated_values_is_no_text_however_it_is_named(tmp_path):
    rows = [
        {"content": ["a rather long name of a class", "another long name of a class"][i % 2], "foo": text(8)} for i in range(60)
    ]
    found = roles(tmp_path, rows)
    assert (found.text, found.label) == (("foo",), ("content",))


def test_age_group_is_no_group_and_source_neither(tmp_path):
    rows = [{"text": text(), "label": "ab"[i % 2], "age_group": "cd"[i % 3 > 0], "source": "ef"[i % 2]} for i in range(60)]
    assert roles(tmp_path, rows).group is None


def test_an_index_that_pandas_wrote(tmp_path):
    found = roles(tmp_path, ",text,label\n" + "".join(f"{i},{text()},{'ab'[i % 2]}\n" for i in range(30)), "a.csv")
    assert (found.id, found.reasons["id"]) == ("column_1", "counts up from 0")


@pytest.mark.parametrize(
    ("labels", "options", "kind"),
    [
        (["a", "b"], {}, "classify"), ([0, 1], {}, "classify"), ([1.0, 2.5, 3.0], {}, "classify"), (["1", "2", "3", "4", "5"], {}, "classify"),
        ([i * 0.37 for i in range(100)], {}, "regress"), ([str(i * 0.37) for i in range(100)], {}, "regress"),
        (list(range(150)), {}, "regress"), ([["a"], ["a", "b"], []], {}, "classify_many"),
        (["a|b", "b", "c|a"], {"label_separator": "|"}, "classify_many"),
    ],
)  # fmt: skip
def test_kinds_of_task(tmp_path, labels, options, kind):
    rows = [{"text": text(), "label": labels[i % len(labels)]} for i in range(300)]
    found = roles(tmp_path, rows, **options)
    assert (found.kind, found.label) == (kind, ("label",)) and found.reasons["kind"]


def test_several_columns_of_0_and_1(tmp_path):
    rows = [{"text": text(), "toxic": i % 2, "rude": str(i % 3 % 2), "n": i} for i in range(60)]
    assert roles(tmp_path, rows, label=("toxic", "rude")).kind == "classify_many"
    with pytest.raises(BadSetting, match="0 and 1"):
        roles(tmp_path, rows, label=("toxic", "n"))


def test_without_a_label_it_is_unlabelled(tmp_path):
    found = roles(tmp_path, "\n".join(text() for _ in range(50)), "a.txt")
    assert (found.text, found.label, found.kind) == (("text",), (), "unlabelled")


def test_given_columns_are_taken(tmp_path):
    rows = [{"text": text(), "a": text(3), "b": text(3), "label": "xy"[i % 2], "c": "pq"[i % 2]} for i in range(60)]
    found = roles(tmp_path, rows, text=("a", "b"), label=("c",), group="label", id="text")
    assert (found.text, found.label, found.group, found.id) == (("a", "b"), ("c",), "label", "text")
    assert found.reasons["text"] == "given"


def test_a_missing_column_names_the_nearest_first(tmp_path):
    with pytest.raises(MissingColumn, match="the columns are: label, text") as caught:
        roles(tmp_path, [{"text": text(), "label": "a"}] * 9, label=("labels",))
    assert caught.value.facts["role"] == "label"


def test_nothing_to_go_by(tmp_path):
    with pytest.raises(NoRole):
        roles(tmp_path, [{"a": i, "b": i * 2} for i in range(9)])
    with pytest.raises(EmptyData):
        roles(tmp_path, "text,label\n", "a.csv")
    with pytest.raises(NoReadableRow, match="ragged row 2"):
        roles(tmp_path, "text,label\na,b,c\nd,e,f\n", "b.csv")


def test_the_look_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "LOOK_ROWS", 50)
    rows = [{"text": text(), "label": "ab"[i % 2]} for i in range(500)]
    assert "in 50 rows" in roles(tmp_path, rows).reasons["label"]
    monkeypatch.setattr(columns, "LOOK_CHARACTERS", 1000)
    assert "in 50 rows" not in roles(tmp_path, rows).reasons["label"]


def test_splits_with_an_unknown_value_are_still_splits(tmp_path):
    rows = [{"text": text(), "label": "ab"[i % 2], "split": ["train", "test", "unsup"][i % 3]} for i in range(60)]
    assert roles(tmp_path, rows).split == "split"


def test_all_parts_are_looked_at(tmp_path):
    for name, label in (("train", "a"), ("test", "b")):
        (tmp_path / f"{name}.csv").write_text("t,l\n" + "".join(f"{text()},{label}\n" for _ in range(30)))
    settings = DataSettings(path=str(tmp_path))
    assert infer_roles(open_source(settings), settings).label == ("l",)


@pytest.mark.parametrize(
    ("row", "words", "tags", "scheme"),
    [
        ({"tokens": ["a", "b"], "ner_tags": ["O", "B-x"]}, "tokens", "ner_tags", "BIO"),
        ({"tokens": ["a", "b"], "tags": ["O", "I-x"]}, "tokens", "tags", "IOB1"),
        ({"id": "7", "words": ["a", "b"], "other": [1, 2], "tags": ["S-x", "O"]}, "words", "tags", "BIOES"),
        ({"text": "a b", "tokens": ["a", "b"], "ner_tags": [0, 3]}, "tokens", "ner_tags", "plain"),
    ],
)
def test_words_with_tags(tmp_path, row, words, tags, scheme):
    found = roles(tmp_path, [row] * 30)
    assert (found.text, found.label, found.kind, found.scheme) == ((words,), (tags,), "tag", scheme)
    assert words in found.reasons["label"]


def test_lists_of_other_lengths_are_labels_of_a_text(tmp_path):
    rows = [{"text": text(), "tokens": ["a", "b", "c"], "tags": ["x", "y"][: 1 + i % 2]} for i in range(40)]
    found = roles(tmp_path, rows)
    assert (found.text, found.label, found.kind, found.scheme) == (("text",), ("tags",), "classify_many", None)


@pytest.mark.parametrize(
    "names",
    [("source", "target"), ("src", "tgt"), ("en", "de"), ("ZH", "en"), ("Source Text", "Target Text"), ("原文", "译文")],
)
def test_pairs_by_their_names(tmp_path, names):
    found = roles(tmp_path, [{names[0]: text(), names[1]: text(), "origin": "ab"[i % 2]} for i in range(40)])
    assert (found.text, found.target, found.label, found.kind) == ((names[0],), names[1], (), "pair")


def test_a_target_that_is_a_class_makes_no_pair(tmp_path):
    for source in (text, lambda: "web"):
        rows = [{"source": source(), "text": text(), "target": "ab"[i % 2]} for i in range(40)]
        found = roles(tmp_path, rows)
        assert (found.target, found.label, found.kind) == (None, ("target",), "classify")


def test_given_halves_of_pairs(tmp_path):
    rows = [{"one": text(), "two": text(), "label": "ab"[i % 2]} for i in range(40)]
    found = roles(tmp_path, rows, text=("one",), target="two")
    assert (found.text, found.target, found.kind) == (("one",), "two", "pair")
    swapped = roles(tmp_path, [{"en": text(), "de": text()} for _ in range(40)], text=("de",), target="en")
    assert (swapped.text, swapped.target) == (("de",), "en")
    assert roles(tmp_path, [{"en": text(), "de": text(), "y": "ab"[i % 2]} for i in range(40)], label=("y",)).kind == "classify"
    with pytest.raises(MissingColumn, match="target"):
        roles(tmp_path, rows, target="three")


# ----------------------------------------------------------------------------------------------------------- pictures


def pictures(folder, names=("cat/1.png", "cat/2.png", "dog/1.png")):
    for seed, name in enumerate(names):
        picture(folder / name, seed=seed)
    return folder


def found(path, **options):
    settings = DataSettings(path=str(path), **options)
    return infer_roles(open_source(settings), settings)


def test_a_folder_of_pictures_has_an_image_and_no_text(tmp_path):
    roles = found(pictures(tmp_path))
    assert (roles.image, roles.text, roles.label, roles.kind) == ("image", (), ("label",), "classify")
    assert roles.reasons["image"] == "files of pictures"


@pytest.mark.parametrize(
    "header, column",
    [("file_name,label,caption", "file_name"), ("id,photo,label,caption", "photo"), ("label,anything,caption", "anything")],
)
def test_a_column_of_files_of_pictures_is_told_by_its_content(tmp_path, header, column):
    pictures(tmp_path, ("1.png", "2.png", "sub/3.png"))
    cells = {"label": "cat", "caption": "a cat that sits on a mat and is looked at", "id": "7"}
    rows = [",".join(cells.get(name, file) for name in header.split(",")) for file in ("1.png", "2.png", "sub/3.png")]
    (tmp_path / "rows.csv").write_text("\n".join([header, *rows]) + "\n")
    assert found(tmp_path / "rows.csv").image == column
    assert found(tmp_path / "rows.csv").label == ("label",)
    asked = found(tmp_path / "rows.csv", text=("caption",))
    assert (asked.image, asked.text) == (None, ("caption",))
    with pytest.raises(BadSetting, match=r"data\.image"):
        found(tmp_path / "rows.csv", text=("caption",), image=column)
    with pytest.raises(MissingColumn, match="image"):
        found(tmp_path / "rows.csv", image="none")


def test_names_of_pictures_that_are_not_there_are_texts(tmp_path):
    (tmp_path / "rows.csv").write_text("name,label\nsome.png,a\nother.png,b\n")
    assert found(tmp_path / "rows.csv").image is None


@pytest.mark.parametrize("kind", ["struct", "bytes"])
def test_bytes_of_pictures_in_parquet(tmp_path, kind):
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = [picture(tmp_path / f"{n}.png", seed=n).read_bytes() for n in range(4)]
    cells = [{"bytes": one, "path": f"{n}.png"} if kind == "struct" else one for n, one in enumerate(data)]
    pq.write_table(
        pa.Table.from_pylist([{"pixels": one, "label": n % 2} for n, one in enumerate(cells)]), tmp_path / "a.parquet"
    )
    roles = found(tmp_path / "a.parquet")
    assert (roles.image, roles.label, roles.reasons["image"]) == ("pixels", ("label",), "bytes of pictures")


def test_boxes_are_to_be_detected(tmp_path):
    from tests.data.picture_sets.test_voc import note, written

    picture(tmp_path / "JPEGImages/a.jpg"), picture(tmp_path / "JPEGImages/b.jpg")
    written(tmp_path, {"a": note(("cat", 1, 1, 10, 5, "")), "b": note()}, {"train": "a\nb\n"})
    roles = found(tmp_path)
    assert (roles.image, roles.label, roles.kind, roles.split) == ("image", ("objects",), "detect", "split")
