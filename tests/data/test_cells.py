import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.data.cells import cell_text, class_name, class_names, is_flag, joined, number, time_text, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (None, ""),
        (math.nan, ""),
        (1.0, "1"),
        (2.5, "2.5"),
        (True, "true"),
        (b"ok", "ok"),
        (["a", 1], '["a", 1]'),
        (7, "7"),
    ],
)
def test_cells_as_text(value, text):
    assert cell_text(value) == text


def test_bytes_that_are_no_text():
    with pytest.raises(UnicodeDecodeError):
        cell_text(b"\xff")


@pytest.mark.parametrize(
    ("values", "name"),
    [((1, 1.0, "1", "1.0", " 1.00 "), "1"), ((True, "True", "TRUE", "true"), "true"), (("very good", " very good\u200b "), "very good"),
     (("01",), "01"), ((None, "", "  ", math.nan), ""), ((2.5, "2.5"), "2.5"), ((-1, "-1.0"), "-1")],
)  # fmt: skip
def test_one_class_has_one_name(values, name):
    assert {class_name(value) for value in values} == {name}


@pytest.mark.parametrize(
    ("value", "found"), [("1e3", 1000.0), (3, 3.0), ("nan", None), ("inf", None), ("1_000", None), ("x", None), (None, None)]
)
def test_numbers(value, found):
    assert number(value) == found


def test_flags():
    assert [is_flag(v) for v in (1, "0", "1.0", True, "", 2, "yes")] == [True, False, True, True, False, None, None]


def test_many_classes_in_a_cell():
    assert class_names("b | a|b|", "|") == ("a", "b")
    assert class_names(["b", 1.0, "b", None], None) == ("1", "b")
    assert class_names([], None) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-03-01", "2024-03-01T00:00:00"), ("2024/3/1 12:30", "2024-03-01T12:30:00"), ("2024年3月1日", "2024-03-01T00:00:00"),
        ("2024-03-01T12:00:00+08:00", "2024-03-01T04:00:00"), (1700000000, "2023-11-14T22:13:20"), ("1700000000000", "2023-11-14T22:13:20"),
        ("2024", "2024"), ("2024-13-01", None), ("yesterday", None), ("12", None), ("", None), (datetime.date(2020, 5, 6), "2020-05-06T00:00:00"),
    ],
)  # fmt: skip
def test_times_that_sort_as_text(value, text):
    assert time_text(value) == text


@given(st.lists(st.datetimes(min_value=datetime.datetime(1900, 1, 1)), min_size=2, max_size=5))
def test_sorting_times_as_text_is_sorting_them(times):
    assert sorted(times, key=lambda t: time_text(str(t)) or "") == sorted(times)


@pytest.mark.parametrize(
    ("raw", "text"),
    [(("a", "b"), "a b"), (("小", "米", "phone"), "小米 phone"), ("as it is", "as it is"), (("日", "。"), "日。")],
)
def test_inputs_as_one_text(raw, text):
    assert joined(raw) == text


def test_words_in_a_cell():
    assert words(["a", 2, None]) == ("a", "2", "")
    assert words("hey, you") == ("hey", ",", "you")
