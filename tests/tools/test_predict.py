from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tests import supervised, trained
from zhuji.core.errors import MissingColumn
from zhuji.data.ledger import Ledger
from zhuji.model.bundle import open_bundle
from zhuji.tools.predict import free_name, predict


def test_order_columns_and_broken_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"text": "bark bone", "n": 1}\n{broken\n{"text": "", "n": 2}\n{"text": "meow purr", "n": 3}\n', encoding="utf-8"
    )
    ledger = Ledger()
    rows = list(predict(open_bundle(trained.run()), [path, "飞 羽毛"], ledger))
    assert [row.prediction.answer for row in rows] == ["dogs", "cats", "鸟类"]
    assert [row.row for row in rows] == [1, 4, 1] and rows[1].values["n"] == 3
    assert (ledger.read, ledger.total("used"), ledger.total("dropped")) == (5, 3, 2) and ledger.balanced


def test_a_lone_column_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("body\nbark leash\nkitten meow\n", encoding="utf-8")
    predictor = open_bundle(trained.run())
    assert [r.prediction.answer for r in predict(predictor, [tmp_path / "one.csv"], Ledger())] == ["dogs", "cats"]
    with pytest.raises(MissingColumn):
        list(predict(predictor, [tmp_path / "one.csv"], Ledger(), columns={"text": ("none",)}))


def test_names_do_not_collide() -> None:
    assert free_name("score", ["text"]) == "score" and free_name("score", ["score", "score_2"]) == "score_3"


def test_memory_stays_flat_however_long_the_stream() -> None:
    predictor = open_bundle(trained.run())

    def peak(rows: int) -> int:
        tracemalloc.start()
        for _ in predict(predictor, [("bark bone leash" for _ in range(rows))], Ledger()):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(9_000)
    assert peak(24_000) < 1.3 * peak(12_000)


def test_words_of_a_file_are_tagged(tmp_path: Path) -> None:
    predictor, ledger = open_bundle(supervised.tagged().bundle), Ledger()
    rows = list(predict(predictor, [supervised.sentences() / "test.conll", ["Ada met Bo"]], ledger))
    assert ledger.read == 31 and ledger.total("used") == 31
    assert all(len(row.prediction.answer) == len(row.values["words"]) for row in rows[:30])
    assert rows[-1].as_dict()["prediction"] == ["B-PER", "O", "B-PER"]
