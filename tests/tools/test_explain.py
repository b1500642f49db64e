from __future__ import annotations

from pathlib import Path

import pytest

from tests import trained
from zhuji.core.errors import MissingColumn
from zhuji.core.records import Picture
from zhuji.data.ledger import Ledger
from zhuji.model.bundle import open_bundle
from zhuji.model.heat import Heat
from zhuji.tools.explain import explain


def test_texts_and_files_in_order(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "bark bone"}\n{broken\n{"text": "meow purr"}\n', encoding="utf-8")
    ledger = Ledger()
    rows = list(explain(open_bundle(trained.run()), ["飞", path, ["leash", "nap"]], ledger))
    assert [row.explained[0].about for row in rows] == ["鸟类", "dogs", "cats", "dogs", "cats"]
    assert [row.id for row in rows] == ["1", "row-1", "row-3", "1", "2"]
    assert rows[1].as_dict()["explained"][0]["parts"][0]["text"] == "bark"
    assert (ledger.read, ledger.total("used"), ledger.total("dropped")) == (6, 5, 1) and ledger.balanced


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\nbark\n", encoding="utf-8")
    with pytest.raises(MissingColumn):
        list(explain(open_bundle(trained.run()), [path], Ledger(), columns={"text": ("none",)}))


def test_pictures_are_explained_by_maps_and_drawn(tmp_path: Path) -> None:
    from tests import pictured

    predictor, ledger = pictured.result().load().predictor, Ledger()
    folder = pictured.data() / "test" / "green"
    one = str(next(folder.glob("*.png")))
    rows = list(explain(predictor, [folder, one, Picture(one)], ledger, draw=tmp_path / "new"))
    count = len(list(folder.iterdir()))
    assert ledger.read == ledger.total("used") == len(rows) == count + 2
    assert len({path for row in rows for path in row.drawn}) == len(rows) and all(
        path.is_file() for row in rows for path in row.drawn
    )
    (heat,) = rows[-1].explained
    assert isinstance(heat, Heat) and heat.about == "green" and rows[-1].as_dict()["drawn"] == [str(rows[-1].drawn[0])]
    (red,) = next(explain(predictor, [one], Ledger(), "red")).explained
    assert red.about == "red"
