from __future__ import annotations

from pathlib import Path

import pytest

from tests import trained
from zhuji.core.errors import ChangedSinceStart, NotABundle, TooManyDropped
from zhuji.tools.evaluate import evaluate


def test_a_run_without_data_gives_the_numbers_of_training() -> None:
    found = evaluate(trained.run())
    assert found.as_dict()["scores"] == dict(trained.result().test) and found.split == "test"


def test_labelled_rows_are_all_accounted_for(tmp_path: Path) -> None:
    rows = trained.write_rows(tmp_path / "new.csv", rows=60, seed=5)
    found = evaluate(trained.result().bundle, rows, sets=["evaluate.bootstrap=20"])
    ledger = found.ledger
    assert found.rows == 60 == ledger["read"] == ledger["used"] + ledger["cut"] and found.scores["accuracy"].value > 0.9
    assert (
        evaluate(trained.result().bundle, rows, seed=1, sets=["evaluate.bootstrap=0"]).scores["accuracy"].value
        == found.scores["accuracy"].value
    )


def test_only_the_test_split_of_data_that_has_one(tmp_path: Path) -> None:
    lines = trained.write_rows(tmp_path / "new.csv", rows=60).read_text(encoding="utf-8").splitlines()
    split = [f"{line},{'test' if i < 20 else 'train'}" for i, line in enumerate(lines[1:])]
    (tmp_path / "new.csv").write_text("\n".join([f"{lines[0]},split", *split, ""]), encoding="utf-8")
    found = evaluate(trained.run(), tmp_path / "new.csv", sets=["evaluate.bootstrap=0"])
    assert (found.rows, found.split, found.ledger["read"], found.ledger["dropped"]) == (20, "test", 60, 40)


def test_columns_by_other_names_and_labels_never_met(tmp_path: Path) -> None:
    path = trained.write_rows(tmp_path / "new.csv", rows=30)
    path.write_text(
        path.read_text(encoding="utf-8").replace("text,label", "body,kind").replace(",cats", ",fish"), encoding="utf-8"
    )
    found = evaluate(trained.run(), path, columns={"text": ("body",), "label": ("kind",)}, sets=["evaluate.bootstrap=0"])
    assert found.unseen == 10 and found.scores["accuracy"].value < 0.7


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(NotABundle):
        evaluate(trained.result().bundle)
    broken = tmp_path / "broken.csv"
    broken.write_text("text,label\nbark,dogs\nmeow,\n", encoding="utf-8")
    with pytest.raises(TooManyDropped):
        evaluate(trained.run(), broken, columns={"label": ("label",), "text": ("text",)})


def test_changed_data_is_noticed() -> None:
    rows = trained.data()
    text = rows.read_text(encoding="utf-8")
    try:
        rows.write_text(text + "bark more than before,dogs\n", encoding="utf-8")
        with pytest.raises(ChangedSinceStart):
            evaluate(trained.run())
    finally:
        rows.write_text(text, encoding="utf-8")
