from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from tests import heard, supervised, trained
from tests.serving import made
from zhuji.core.errors import MissingColumn, NoRole
from zhuji.core.records import Box, Picture
from zhuji.data.ledger import Ledger
from zhuji.model.bundle import open_bundle
from zhuji.tools.predict import free_name, predict, written


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


@pytest.mark.slow
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


def test_pictures_folders_and_lists_are_answered_and_broken_ones_dropped(tmp_path: Path) -> None:
    from tests import pictured

    predictor = pictured.result().load().predictor
    good = sorted((pictured.data() / "test/green").iterdir())
    (tmp_path / "list.csv").write_text("file_name,who\n" + "".join(f"{path},me\n" for path in good) + "gone.png,you\n,nobody\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_bytes(b"")
    (tmp_path / "broken/b.jpg").write_bytes(good[0].read_bytes())
    ledger = Ledger()
    sources = [good[0], pictured.data() / "test", tmp_path / "list.csv", tmp_path / "broken", str(good[1]), "no such picture"]
    rows = list(predict(predictor, sources, ledger))
    count = len(list((pictured.data() / "test").rglob("*.*")))
    assert ledger.read == 1 + count + len(good) + 2 + 2 + 2 and ledger.read == len(rows) + ledger.total("dropped")
    assert ledger.causes("dropped") == {"no such picture": 2, "no picture": 1, "empty picture file": 1}
    assert rows[0].as_dict() == {"file": good[0].name, "image": str(good[0]), "prediction": "green", "score": rows[0].prediction.score,
                                 "scores": dict(rows[0].prediction.scores or {})}  # fmt: skip
    assert rows[1].values["label"] in pictured.COLOURS
    assert rows[1 + count].values == {"file_name": str(good[0]), "who": "me"}
    json.dumps([row.as_dict() for row in rows])


def test_that_a_sound_is_not_read_to_its_end_is_told(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    for name, seconds in (("a", 0.2), ("b", 0.5)):
        heard.written(tmp_path / f"{name}.wav", heard.tone(300, seconds))
    predictor, ledger = open_bundle(made.listener()), Ledger()
    predictor.model.modality = predictor.model.modality.model_copy(update={"longest": 0.3})
    assert len(list(predict(predictor, [tmp_path], ledger))) == ledger.total("used") == 2
    assert ledger.changes == {"end cut off": 1}


def test_bytes_of_pictures_are_not_written_down() -> None:
    values = {"image": Picture(data=b"12"), "raw": b"12", "note": "", "n": 3, "objects": (Box("cat", 0, 1, 2, 3),)}
    box = {"label": "cat", "left": 0, "top": 1, "right": 2, "bottom": 3}
    assert written(values) == {"note": "", "n": 3, "objects": [box]}
    assert written({"image": Picture("a.png", b"12")}) == {"image": "a.png"}


def test_a_table_without_pictures_is_refused(tmp_path: Path) -> None:
    from tests import pictured

    (tmp_path / "a.csv").write_text("text,label\na good film of this year,up\nanother film,down\n")
    with pytest.raises(NoRole, match="image"):
        list(predict(pictured.result().load().predictor, [tmp_path / "a.csv"], Ledger()))
