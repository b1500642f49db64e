import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.errors import BadSetting
from zhuji.data import dialect
from zhuji.data.dialect import column_names, find_dialect, records

PROSE = ["well, this is: fine; really | yes", "short", "two, commas, here", 'she said: "no"; and left']


def written(rows, delimiter=","):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("delimiter", dialect.DELIMITERS)
def test_each_delimiter_is_found_amid_prose(delimiter):
    rows = [["text", "label", "n"], *([text, "ab"[i % 2], str(i)] for i, text in enumerate(PROSE * 10))]
    found = find_dialect(written(rows, delimiter), whole=True)
    assert (found.delimiter, found.quoted, found.header, found.agreement) == (delimiter, True, True, 1.0)


def test_one_column_of_prose_has_no_delimiter():
    assert find_dialect("review\n" + "\n".join(PROSE), whole=True).delimiter is None


def test_prose_with_commas_between_tabs():
    found = find_dialect("".join(f"{text}\tlabel{i % 2}\n" for i, text in enumerate(PROSE[:3] * 9)), whole=True)
    assert (found.delimiter, found.header) == ("\t", False)


def test_quotes_are_text_where_rows_agree_better_so():
    found = find_dialect("text\tlabel\n" + '"Ha" he said\tpos\n"what\tneg\nfine\tpos\n' * 9, whole=True)
    assert not found.quoted
    assert find_dialect('text,label\n"a, b",pos\n"c"d,neg\n', whole=True).quoted


def test_the_line_that_excel_puts_on_top():
    found = find_dialect("sep=;\ntext;label\na,b;c\n", whole=True)
    assert (found.delimiter, found.preamble, found.header) == (";", True, True)


@pytest.mark.parametrize(
    ("first", "header"),
    [
        ("text,label", True),
        ("文本,标签", True),
        ("foo,bar", True),
        ("good film,pos", False),
        ("3,a film", False),
        ("it was " + "very " * 20 + "long,x", False),
        ("spam,pos", False),
        (",text,label", True),
    ],
)
def test_a_first_row_of_data_is_no_header(first, header):
    width = first.count(",")
    body = "".join(",".join([f"film {i}"] * width + ["pos" if i % 2 else "neg"]) + "\n" for i in range(9))
    found = find_dialect(first + "\n" + body, whole=True)
    assert found.header is header and found.why["header"]


def test_names_where_there_are_none():
    assert column_names(["a", " ", "c "], header=True) == ("a", "column_2", "c")
    assert column_names(["a", "b"], header=False) == ("column_1", "column_2")


@pytest.mark.parametrize(("given_", "char"), [(";", ";"), ("\\t", "\t"), ("tab", "\t"), ("~", "~")])
def test_a_given_delimiter_is_taken(given_, char):
    assert find_dialect("a;b,c\n1;2,3\n", whole=True, delimiter=given_).delimiter == char


@pytest.mark.parametrize("given_", ["", ",,", '"', "\n", " ", "\0"])
def test_what_cannot_delimit_is_refused(given_):
    with pytest.raises(BadSetting):
        find_dialect("a,b\n", whole=True, delimiter=given_)


def read(text, **options):
    return list(records(io.StringIO(text, newline=""), ",", **options))


def test_one_open_quote_costs_one_line():
    assert read('a,b\n"open,c\nd,e\nf,g\n') == [
        (["a", "b"], ""),
        (None, "unterminated quote"),
        (["d", "e"], ""),
        (["f", "g"], ""),
    ]
    assert read('"open,c\n"d",e\n') == [(None, "unterminated quote"), (["d", "e"], "")]


def test_a_quote_in_the_wrong_place_costs_its_line():
    assert read('"a"b,c\nd,e\n') == [(None, "bad quotes"), (["d", "e"], "")]


def test_line_breaks_in_quotes_are_text():
    assert read('"a\nb\r\nc",d\n\n') == [(["a\nb\r\nc", "d"], "")]


def test_a_quote_left_open_for_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(dialect, "RECORD_LINES", 5)
    found = read('"open,c\n' + "d,e\n" * 20 + '"x\ny",z\n')
    assert found == [(None, "unterminated quote"), *[(["d", "e"], "")] * 20, (["x\ny", "z"], "")]


cells = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(cells, min_size=2, max_size=4), max_size=8))
def test_what_csv_writes_is_read_back(rows):
    assert [fields for fields, _ in read(written(rows))] == rows


@given(st.text(st.sampled_from('ab",\n\r'), max_size=60))
def test_sound_lines_after_any_rubbish_are_read(rubbish):
    found = read(rubbish + "\n" + 'x,"y"\n' * 3)
    assert [fields for fields, _ in found][-2:] == [["x", "y"]] * 2
