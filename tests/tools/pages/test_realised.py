from __future__ import annotations

import re
from typing import Any

from zhuji.core.log import speaking
from zhuji.tools.pages.realised import caution, measures, nearness, realism_page


def facts(**more: Any) -> dict[str, Any]:
    value = {"value": 12.345, "low": 11.0, "high": 13.5}
    return {
        "run": "runs/<b>1", "by": "judges/2 & 3", "rows": {"drawn": 1200, "test": 100, "training": 900, "compared": 100}, "warnings": ["few & far"],
        "scores": {
            "frechet": {"drawn": value, "real": {"value": 1.0, "low": None, "high": None}}, "recognised": {"drawn": value, "real": None},
        },
        "by_class": [
            {"class": "<i>", "asked": 10, "recognised": 9, "seen": 9, "seen_in_real": 5},
            {"class": "b", "asked": None, "recognised": None, "seen": 0, "seen_in_real": 5},
        ],
        "copies": {
            "pixels": {"nearer": 0.5, "suspects": 0.0512, "median": 20.0, "median_of_real": 21.0, "equal": 2, "equal_of_real": 0},
            "features": {"nearer": 0.4, "suspects": 0.01, "median": 0.5, "median_of_real": 0.7},
        },
        **more,
    }  # fmt: skip


def test_numbers_as_a_person_reads_them() -> None:
    rows = measures(facts())
    assert rows[0][:3] == ("Frechet distance", "12.345 [11.000, 13.500]", "1.000")
    assert rows[1][2] == "–" and rows[-1][:3] == ("classes seen", "1 of 2", "2 of 2")
    assert nearness(facts()) == [
        ("pixels", "0.500", "5.1%", "2 / 0", "20 / 21"), ("features", "0.400", "1.0%", "–", "0.5 / 0.7")
    ]  # fmt: skip
    assert "not of Inception" in caution(facts()) and "judges/2 & 3" in caution(facts())
    with speaking("zh"):
        assert measures(facts())[-1][1] == "2 类中 1 类" and "Inception" in caution(facts())


def test_the_page_needs_nothing_and_trusts_no_text() -> None:
    page = realism_page(facts(), b"\x89PNG")
    assert "runs/&lt;b&gt;1" in page and "&lt;i&gt;" in page and "few &amp; far" in page and "1,200" in page
    assert "data:image/png;base64,iVBORw==" in page and "img-src data:" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page) and "<script" not in page
    with speaking("zh"):
        assert "是否照抄" in realism_page(facts(), b"")
