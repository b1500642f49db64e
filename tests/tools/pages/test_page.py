import math

from zhuji.tools.pages.page import count, interval, percent, score


def test_numbers_as_a_page_shows_them() -> None:
    assert [score(x) for x in (0.12345, None, math.nan, 1234.5)] == ["0.123", "–", "–", "1,234.5"]
    assert interval({"low": 0.1, "high": 0.2}) == "[0.100, 0.200]" and interval({"value": 1.0, "low": None, "high": None}) == ""
    assert count(12345) == "12,345" and percent(0.123) == "12.3 %"
