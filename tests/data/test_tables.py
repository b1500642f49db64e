import json

import pytest

from zhuji.core.errors import DuplicateColumn, EmptyData, UnknownFormat
from zhuji.data import tables
from zhuji.data.settings import DataSettings
from zhuji.data.tables import format_of, open_table


def opened(path, data, **options):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return open_table(path, DataSettings(path=str(path), **options))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"),
        ("a.b.TSV.gz", "csv"),
        ("a.jsonl.gz", "jsonl"),
        ("a.pq", "parquet"),
        ("a.txt", "text"),
        ("a.gz", None),
        ("a", None),
    ],
)
def test_formats_by_name(tmp_path, name, form):
    assert format_of(tmp_path / name) == form


def test_csv_rows_and_their_problems(tmp_path):
    table = opened(tmp_path / "a.csv", b'text,label\na,b\nc\nd,e,f\ntext,label\n"g"h,i\nj\xff,k\n"l\nm",n\n', encoding="utf-8")
    assert table.columns == ("text", "label")
    assert list(table.rows()) == [
        ({"text": "a", "label": "b"}, ""), (None, "ragged row"), (None, "ragged row"), (None, "header again"), (None, "bad quotes"),
        (None, "undecodable bytes"), ({"text": "l\nm", "label": "n"}, ""),
    ]  # fmt: skip
    assert list(table.rows()) == list(table.rows())


def test_rows_without_a_header_keep_the_first(tmp_path):
    table = opened(tmp_path / "a.csv", "good,pos\nfine,pos\nbad,neg\n")
    assert table.columns == ("column_1", "column_2") and len(list(table.rows())) == 3
    assert "pos" in table.why["header"]


def test_the_line_of_excel_is_no_row(tmp_path):
    table = opened(tmp_path / "a.csv", "sep=;\r\ntext;label\r\na,b;c\r\n")
    assert table.columns == ("text", "label") and list(table.rows()) == [({"text": "a,b", "label": "c"}, "")]


def test_equal_names_are_refused(tmp_path):
    with pytest.raises(DuplicateColumn, match="'a' stands 2 times"):
        opened(tmp_path / "a.csv", "a,text,a\n1,2,3\n")


def test_json_rows_and_their_problems(tmp_path):
    lines = [
        '{"text": "a", "n": 1}',
        "",
        "nonsense",
        "[1]",
        '{"text": {"deep": ["好"]}, "tags": ["x", "y"]}',
        '{"text": "\\ud800"}',
        "[" * 10**5,
    ]
    table = opened(tmp_path / "a.jsonl", "\n".join(lines))
    assert table.columns == ("text", "n", "tags")
    assert list(table.rows()) == [
        ({"text": "a", "n": 1}, ""), (None, "bad JSON"), (None, "not a JSON object"),
        ({"text": '{"deep": ["好"]}', "tags": ["x", "y"]}, ""), (None, "undecodable bytes"), (None, "bad JSON"),
    ]  # fmt: skip


def test_one_text_a_line(tmp_path):
    table = opened(tmp_path / "a.txt", "one, two\n\n three \n")
    assert list(table.rows()) == [({"text": "one, two"}, ""), ({"text": "three"}, "")]


def test_a_text_file_with_tabs_is_a_table(tmp_path):
    table = opened(tmp_path / "a.txt", "".join(f"text, number {i}\t{i % 2}\n" for i in range(20)))
    assert (table.format, table.delimiter, len(table.columns)) == ("csv", "\t", 2)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        ("text,label\na,b\nc,d\n", "csv"),
        (json.dumps({"text": "a"}), "jsonl"),
        ("Once upon a time, a king\nlived well.\nThe end.\n", "text"),
    ],
)
def test_a_file_without_a_telling_name_is_known_by_its_bytes(tmp_path, data, form):
    assert opened(tmp_path / "file", data).format == form


@pytest.mark.parametrize("data", ["", "\n \n\t", b"\0" * 99, b"\xff\xfe"])
def test_nothing_is_no_table(tmp_path, data):
    with pytest.raises(EmptyData):
        opened(tmp_path / "a.csv", data)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [("a.csv", b"PK\x03\x04" + bytes(99), "ZIP"), ("a.csv", bytes(range(256)) * 9, "not text"), ("a.json", '[{"text": "a"}]', "JSON array"),
     ("a.json", '{\n"text": 1\n}', "JSON object")],
)  # fmt: skip
def test_what_is_no_table_says_why(tmp_path, name, data, why):
    with pytest.raises(UnknownFormat, match=why):
        opened(tmp_path / name, data)


def test_encoding_and_delimiter_can_be_given(tmp_path):
    table = opened(tmp_path / "a.csv", "text~label\nчто~да\n".encode("koi8-r"), encoding="koi8-r", delimiter="~")
    assert (
        list(table.rows()) == [({"text": "что", "label": "да"}, "")]
        and table.why["encoding"] == table.why["delimiter"] == "given"
    )


def test_flat():
    assert tables.flat([1, "a"]) == [1, "a"]
    assert json.loads(tables.flat([1, [2]])) == [1, [2]]
