import ast
import re

import pytest

from tests.architecture.source import PACKAGE, parse
from zhuji.data.clean import Cleaner
from zhuji.data.leaks import KINDS
from zhuji.data.settings import CleanSettings
from zhuji.data.words import CHINESE, counted, told


def dropped():
    """Causes that stand as they are in calls that drop a row."""
    calls = (node for file in (PACKAGE / "data").glob("*.py") for node in ast.walk(parse(file)) if isinstance(node, ast.Call))
    for call in calls:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in {"drop", "_Dropped"} and call.args and isinstance(call.args[0], ast.Constant):
            yield call.args[0].value


def test_every_name_is_known():
    text = "Ã©\u200b  e\u0301"
    changes = Cleaner(CleanSettings())(text)[1]
    assert len(changes) == 4
    causes = set(dropped())
    assert {"empty text", "unknown split", "no label"} <= causes
    assert {*causes, *changes, *KINDS} <= set(CHINESE)


@pytest.mark.parametrize("name", CHINESE)
def test_chinese_is_chinese(name, monkeypatch):
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert re.search(r"[\u4e00-\u9fff]", told(name))


def test_counts_in_both_languages(monkeypatch):
    counts = {"ragged row": 2, "no label": 0, "of one's own": 1}
    monkeypatch.setenv("ZHUJI_LANG", "en")
    assert counted(counts) == "ragged row 2, of one's own 1"
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    assert counted(counts) == "列数不符 2，of one's own 1"
