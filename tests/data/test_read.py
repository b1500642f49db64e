import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.picture_sets.made import picture
from zhuji.core.errors import MissingColumn, ZhujiError
from zhuji.data.infer import Roles
from zhuji.data.ledger import Ledger
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings


def read(path, data=None, roles=None, labelled=True, **options):
    if data is not None:
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    ledger = Ledger()
    records = list(read_records(DataSettings(path=str(path), **options), roles, ledger, labelled))
    assert ledger.read == len(records) + ledger.total("dropped")
    return records, ledger


BOTH = Roles(("text",), ("label",), kind="classify")


def test_rows_become_records(tmp_path):
    data = "key,text,label,user,date,split\n" + "".join(
        f"k{i},this is  text number {i}, very good ,u{i % 3},2024/1/{i % 9 + 1},{'dev' if i % 2 else 'train'}\n"
        for i in range(30)
    )
    records, ledger = read(tmp_path / "a.csv", data, id="key")
    first = records[0]
    assert (first.id, first.input, first.label, first.group) == ("k0", "this is text number 0", "very good", "u0")
    assert (first.time, first.split, first.file, first.row) == ("2024-01-01T00:00:00", "train", "a.csv", 1)
    assert records[1].split == "valid" and ledger.changes == {"whitespace collapsed": 30}


def test_every_drop_has_a_cause_and_keeps_what_is_known(tmp_path):
    data = b"text,label,split\na,x,train\n ,x,test\nb,,train\nc,x,other\nd,x\ne\xff,x,test\nf,y,train\n"
    records, ledger = read(
        tmp_path / "a.csv", data, Roles(("text",), ("label",), split="split", kind="classify"), encoding="utf-8"
    )
    assert [record.row for record in records] == [1, 7]
    assert ledger.causes("dropped") == {
        "empty text": 1,
        "no label": 1,
        "unknown split": 1,
        "ragged row": 1,
        "undecodable bytes": 1,
    }
    assert ledger.total(cause="empty text", split="test", label="x") == 1


def test_prediction_needs_no_labels(tmp_path):
    data = "text,label,split\na,,nowhere\nb,x,\n"
    roles = Roles(("text",), ("label",), split="split", kind="classify")
    records, _ = read(tmp_path / "a.csv", data, roles, labelled=False)
    assert [record.label for record in records] == [None, "x"]


def test_numbers_as_labels(tmp_path):
    data = "text,label\n" + "a,1.5\nb,-2\nc,nan\nd,inf\ne,high\nf,\n"
    records, ledger = read(tmp_path / "a.csv", data, Roles(("text",), ("label",), kind="regress"))
    assert [record.label for record in records] == [1.5, -2.0]
    assert ledger.causes("dropped") == {"label is not a number": 3, "no label": 1}


def test_one_class_has_one_name_in_all_formats(tmp_path):
    rows = [{"text": "a", "label": value} for value in (1, 1.0, "1", "1.0", " 1 ")]
    records, _ = read(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)), BOTH)
    assert {record.label for record in records} == {"1"}


def test_many_labels(tmp_path):
    many = Roles(("text",), ("label",), kind="classify_many", label_separator="|")
    records, ledger = read(tmp_path / "a.csv", "text,label\na,y | x|y\nb,x\nc,\n", many)
    assert [record.label for record in records] == [("x", "y"), ("x",)] and ledger.causes("dropped") == {"no label": 1}
    lists = Roles(("text",), ("label",), kind="classify_many")
    records, _ = read(tmp_path / "a.jsonl", '{"text": "a", "label": ["q", 1]}\n{"text": "b", "label": []}\n', lists)
    assert [record.label for record in records] == [("1", "q"), ()]
    flags = Roles(("text",), ("toxic", "rude"), kind="classify_many")
    records, ledger = read(tmp_path / "b.csv", "text,toxic,rude\na,1,1\nb,0,0\nc,0,1.0\nd,0,7\n", flags)
    assert [record.label for record in records] == [("rude", "toxic"), (), ("rude",)]
    assert ledger.causes("dropped") == {"label is not 0 or 1": 1}


def test_texts_of_several_columns_are_joined(tmp_path):
    records, _ = read(tmp_path / "a.csv", "a,b,label\none,two,x\n,three,x\n", Roles(("a", "b"), ("label",), kind="classify"))
    assert [record.input for record in records] == ["one\ntwo", "three"]


def test_ids_are_unique(tmp_path):
    roles = Roles(("text",), id="id")
    records, ledger = read(tmp_path / "a.csv", "id,text\nx,a\nx,b\n,c\nx#2,d\nrow-3,e\nx,f\n", roles)
    assert [record.id for record in records] == ["x", "x#2", "row-3", "x#2#2", "row-3#2", "x#3"]
    assert ledger.changes["duplicate id renamed"] == 4


def test_many_equal_ids_take_no_time(tmp_path):
    records, _ = read(tmp_path / "a.csv", "id,text\n" + "same,a text\n" * 20_000, Roles(("text",), id="id"))
    assert len({record.id for record in records}) == 20_000


def test_row_numbers_are_unique_over_files(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("text,label\na,x\nb,y\n")
    records, _ = read(tmp_path)
    assert [record.id for record in records] == ["train:row-1", "train:row-2", "test:row-1", "test:row-2"]
    one = tmp_path / "train.csv"
    records, _ = read(one, test_path=str(tmp_path / "test.csv"), valid_path=str(tmp_path))
    assert len({record.id for record in records}) == len(records) == 8


def test_texts_by_class_go_by_their_paths(tmp_path):
    for name in ("pos/1.txt", "neg/1.txt", "neg/2.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    records, _ = read(tmp_path)
    assert [(record.id, record.label) for record in records] == [
        ("neg/1.txt", "neg"),
        ("neg/2.txt", "neg"),
        ("pos/1.txt", "pos"),
    ]


def test_a_file_without_the_text_column_is_named(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\na,x\nb,y\n")
    (tmp_path / "test.csv").write_text("words,label\na,x\nb,y\n")
    with pytest.raises(MissingColumn, match=r"test\.csv"):
        read(tmp_path)


def test_rows_are_counted_as_they_stream(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "a,x\nb,y\n" * 50)
    ledger = Ledger()
    stream = read_records(DataSettings(path=str(tmp_path / "a.csv")), BOTH, ledger)
    next(stream), next(stream)
    assert ledger.read == 2


PIECES = [b"text,label\n", b"a", b"b c", b",", b'"', b"\n", b"\r", b"\0", b"\xff", "好".encode(), "好".encode("gb18030"), b"\t", b";", b"{", b"}",
          b'{"text": "a", "label": 1}\n', b"\xed\xa0\x80", b"\\u0000", b"1", b"\xef\xbb\xbf", "👩‍🚀".encode(), b"\xff\xfe"]  # fmt: skip
bytes_of_files = st.one_of(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), st.binary(max_size=200))


@given(bytes_of_files, st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.txt", "a", "a.csv.gz"]), st.booleans())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_read_or_refused_with_reason(tmp_path, data, name, given_roles):
    (tmp_path / name).write_bytes(data)
    ledger, yielded = Ledger(), 0
    try:
        for record in read_records(DataSettings(path=str(tmp_path / name)), Roles(("text",)) if given_roles else None, ledger):
            record.input.encode()
            str(record.label).encode()
            yielded += 1
    except ZhujiError as error:
        assert error.message("en") and error.message("zh")
    assert ledger.read == yielded + ledger.total("dropped")


TAGGED = Roles(("tokens",), ("tags",), kind="tag", scheme="IOB1")


def test_words_and_tags(tmp_path):
    rows = [
        {"tokens": ["EU\u200b", " big ", "\u200b"], "tags": ["I-x", "I-x", "O"]},
        {"tokens": ["a"], "tags": ["O", "O"]},
        {"tokens": ["a", " "], "tags": ["O", "O"]},
        {"tokens": ["a", "b"], "tags": ["O", "X-y"]},
        {"tokens": ["a", "b"], "tags": ["O", ""]},
        {"tokens": ["a"], "tags": "O"},
        {"tokens": [], "tags": []},
    ]
    data = "\n".join(map(json.dumps, rows))
    records, ledger = read(tmp_path / "a.jsonl", data, TAGGED)
    # A word of which cleaning would leave nothing stays.
    assert [(r.input, r.label) for r in records] == [(("EU", "big", "\u200b"), ("B-x", "I-x", "O"))]
    assert ledger.causes("dropped") == {
        "not as many tags as words": 1, "empty word": 1, "invalid tags": 2, "no label": 1, "empty text": 1,
    }  # fmt: skip


def test_words_without_tags_can_be_read_where_none_are_needed(tmp_path):
    records, _ = read(tmp_path / "a.jsonl", '{"tokens": ["a", "b"]}\n{"tokens": "hey, you"}\n', TAGGED, labelled=False)
    assert [(r.input, r.label) for r in records] == [(("a", "b"), None), (("hey", ",", "you"), None)]


def test_both_halves_of_a_pair_are_cleaned(tmp_path):
    pairs = Roles(("en",), target="de", kind="pair")
    records, ledger = read(tmp_path / "a.csv", "en,de,more\n a  b ,c  d,1\nx,,2\n", pairs)
    assert [(r.input, r.target, r.extra) for r in records] == [("a b", "c d", {"more": "1"})]
    assert ledger.causes("dropped") == {"empty target": 1}
    assert [r.target for r in read(tmp_path / "a.csv", None, pairs, labelled=False)[0]] == ["c d", None]
    (tmp_path / "b.csv").write_text("en\na\n")
    with pytest.raises(MissingColumn, match="target"):
        read(tmp_path / "b.csv", None, pairs)


def test_one_of_several_test_sets_keeps_its_name(tmp_path):
    data = "text,label,split\na,x,test_2016\nb,y,TEST-b\nc,x,testing\nd,y,test_\n"
    records, ledger = read(tmp_path / "a.csv", data, Roles(("text",), ("label",), split="split", kind="classify"))
    assert [r.split for r in records] == ["test_2016", "TEST-b", "test"]
    assert ledger.causes("dropped") == {"unknown split": 1}


# ----------------------------------------------------------------------------------------------------------- pictures


def test_pictures_become_records_and_broken_ones_are_dropped_by_cause(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        picture(tmp_path / name, seed=seed)
    (tmp_path / "dog/2.png").write_bytes(b"no picture")
    (tmp_path / "dog/3.png").write_bytes((tmp_path / "dog/1.png").read_bytes()[:100])
    (tmp_path / "dog/4.png").write_bytes(b"")
    records, ledger = read(tmp_path)
    assert [(r.file, r.label, r.input.path) for r in records] == [
        (name, name[:3], str(tmp_path / name)) for name in ("cat/1.png", "cat/2.png", "dog/1.png")
    ]
    assert ledger.causes("dropped") == {"not a picture": 1, "truncated picture": 1, "empty picture file": 1}
    assert ledger.total("dropped", label="dog") == 3
    assert all(r.input.mark and r.input.data is None for r in records)


def test_what_is_done_to_a_picture_is_counted(tmp_path):
    from PIL import Image

    (tmp_path / "a").mkdir()
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(tmp_path / "a/1.png")
    Image.new("CMYK", (4, 4)).save(tmp_path / "a/2.jpg")
    assert read(tmp_path)[1].changes == {"laid over white": 1, "CMYK turned into RGB": 1}


def test_listed_pictures_lie_beside_their_list(tmp_path):
    picture(tmp_path / "sub/a.png"), picture(tmp_path / "sub/b.png", seed=1)
    lines = "file_name,label,note\nsub/a.png,x,1\nsub/b.png,y,2\nsub/gone.png,y,3\n,x,4\n"
    records, ledger = read(tmp_path / "metadata.csv", lines)
    assert [(r.id, r.input.path, r.label) for r in records] == [
        ("1", str(tmp_path / "sub/a.png"), "x"), ("2", str(tmp_path / "sub/b.png"), "y"),
    ]  # fmt: skip
    assert ledger.causes("dropped") == {"no such picture": 1, "no picture": 1}


def test_boxes_are_labels_and_an_empty_tuple_is_one(tmp_path):
    from tests.data.picture_sets.test_voc import note, written

    for name in "abc":
        picture(tmp_path / f"JPEGImages/{name}.jpg")
    written(tmp_path, {"a": note(("cat", 1, 1, 10, 5, ""), ("cat", 3, 3, 3, 2, "")), "b": note()}, {})
    records, ledger = read(tmp_path)
    assert [[(box.label, box.right) for box in r.label] for r in records] == [[("cat", 10)], []]
    assert ledger.causes("dropped") == {"no label": 1}
    assert ledger.changes == {"box without area left out": 1}
    assert len(read(tmp_path, labelled=False)[0]) == 3
