"""Files of rows: every row told with its number, broken ones with the cause, nothing of a name but its ending."""

from __future__ import annotations

import csv
import gzip
import io

import pytest

from tests.serving import house
from zhuji.core.contracts import Prediction
from zhuji.core.refusals import Refused, TooLarge
from zhuji.serving import uploads


def rows(data, ending=".csv", text=(), limit=100):
    return uploads.rows_of(house.predictor(), data, ending, text, limit)


def test_rows_of_a_table_keep_their_numbers_and_broken_ones_say_why():
    found = rows(b'id,text\n1,the cat\n2,\n3,"a, b"\n4,c,d,e\n')
    assert [row.number for row in found] == [1, 2, 3, 4]
    assert [(row.input, row.cause) for row in found[:3]] == [("the cat", ""), (None, "empty text"), ("a, b", "")]
    assert found[3].values is None and found[3].cause
    ledger = uploads.ledger_of(found)
    assert (ledger["read"], ledger["used"], ledger["dropped"]) == (4, 2, 2) and sum(ledger["causes"].values()) == 2


def test_a_column_may_be_named():
    assert [row.input for row in rows(b"a,b\nx one,y two\nx three,y four\n", text=["b"])] == ["y two", "y four"]


def test_other_formats():
    assert [row.input for row in rows(b'{"text": "a"}\n{"text": "b"}\n', ".jsonl")] == ["a", "b"]
    assert [row.input for row in rows("一\n\n二\n".encode(), ".txt")] == ["一", None, "二"]


@pytest.mark.parametrize("data", [gzip.compress(b"text\n" + b"a\n" * 1000), b"PAR1" + bytes(20) + b"PAR1", b"PK\x03\x04"])
def test_what_may_be_larger_than_it_is_is_refused(data):
    with pytest.raises(Refused, match="packed"):
        rows(data)


def test_more_rows_than_may_be_are_refused():
    with pytest.raises(TooLarge):
        rows(b"text\n" + b"a\n" * 11, limit=10)
    assert len(rows(b"text\n" + b"a\n" * 10, limit=10)) == 10


@pytest.mark.parametrize("name", ["../../etc/passwd", "rows.exe", "rows", "", "rows.csv\0.sh", "C:\\con"])
def test_a_name_leads_nowhere(name):
    with pytest.raises(Refused):
        uploads.ending_of(name)
    assert uploads.ending_of("../../ROWS.CSV") == ".csv"


def test_answers_as_csv_keep_the_columns():
    found = [uploads.Row(1, None, cause="too few cells"), uploads.Row(2, {"text": "a", "score": "7"}, "a")]
    text = uploads.as_csv(found, [Prediction("x", 0.5, {"x": 0.5})], [()])
    (first, second) = csv.DictReader(io.StringIO(text))
    assert first == {"error": "too few cells", "text": "", "score": "", "prediction": "", "score_2": ""}
    assert second == {"error": "", "text": "a", "score": "7", "prediction": "x", "score_2": "0.5"}
    assert uploads.as_csv([], [], []) == ""
