from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import supervised, trained
from zhuji.core.contracts import Prediction
from zhuji.model.explain import Explained, Part
from zhuji.tools.pages import spoken as room
from zhuji.tools.pages.found import read
from zhuji.tools.pages.spoken import spoken, tinted
from zhuji.tools.report import write_report

ROW = {"input": "bark <b> zz", "label": "cats"}


def test_rows_have_their_words_and_the_strongest_by_name() -> None:
    (row,) = spoken(read(trained.run()), [ROW])
    assert "".join(word.text for word in row["words"]) == ROW["input"] and row["label"] == "cats"
    assert row["named"][0][0] == "bark" and row["named"][0][1] > 0
    assert row["words"][0].tint == room.STRENGTHS


def test_rows_stay_plain_where_it_would_cost_or_cannot_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = {**ROW, "words": (), "named": ()}
    assert spoken(replace(read(trained.run()), folder=tmp_path), [ROW]) == [plain]
    assert spoken(read(supervised.translated().run), [ROW]) == [plain]
    monkeypatch.setattr(room, "OPERATIONS", -1.0)
    assert spoken(read(trained.run()), [ROW]) == [plain]


def test_tints_follow_sign_and_strength() -> None:
    parts = (Part("a", 0, 1, 2.0), Part(" ", 1, 2, 0.0), Part("b", 2, 3, -1.0), Part("c", 3, 4, 0.1))
    one = Explained(Prediction("x"), "x", "", parts, 0.0, 1.0, 0.0, 0.0, True, 0, "", 1)
    assert [(word.text, word.tint) for word in tinted(one)] == [("a", 4), (" ", 0), ("b", -2), ("c", 0)]


def test_the_page_marks_words_has_a_legend_and_escapes() -> None:
    page = write_report(trained.run()).page.read_text(encoding="utf-8")
    wrong = any(row["label"] != row["prediction"] for row in read(trained.run()).predictions)
    assert ('class="legend"' in page) is wrong
