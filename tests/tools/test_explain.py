from __future__ import annotations

from pathlib import Path

import pytest

from tests import trained
from zhuji.core.errors import MissingColumn
from zhuji.model.bundle import open_bundle
from zhuji.tools.explain import explain


def test_texts_and_files_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "bark bone"}\n{broken\n{"text": "meow purr"}\n', encoding="utf-8")
    rows = list(explain(open_bundle(trained.run()), ["飞", path, ["leash", "nap"]]))
    assert [row.explained[0].about for row in rows] == ["鸟类", "dogs", "cats", "dogs", "cats"]
    assert [row.id for row in rows] == ["1", "row-1", "row-3", "1", "2"]
    assert rows[1].as_dict()["explained"][0]["parts"][0]["text"] == "bark"


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\nbark\n", encoding="utf-8")
    with pytest.raises(MissingColumn):
        list(explain(open_bundle(trained.run()), [path], columns={"text": ("none",)}))
