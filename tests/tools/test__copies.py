from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import pictured, trained
from zhuji.core.contracts import Prediction
from zhuji.core.errors import BadSetting
from zhuji.core.records import Picture
from zhuji.core.unreadable import NotEmpty
from zhuji.data.ledger import Ledger
from zhuji.model.bundle import open_bundle
from zhuji.tools._copies import Copies
from zhuji.tools.predict import predict


def hashes(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_tree_of_pictures_becomes_a_tree_of_copies_and_stays_as_it_was(tmp_path: Path) -> None:
    predictor, before = pictured.result().load().predictor, hashes(pictured.data())
    rows = list(predict(predictor, [pictured.data() / "test"], Ledger(), draw=tmp_path / "new"))
    assert hashes(pictured.data()) == before
    found = {path.relative_to(tmp_path / "new") for path in (tmp_path / "new").rglob("*.*")}
    assert found == {path.relative_to(pictured.data() / "test") for path in (pictured.data() / "test").rglob("*.*")}
    assert all(row.drawn is not None and row.drawn.is_file() and row.as_dict()["drawn"] == str(row.drawn) for row in rows)
    with Image.open(rows[0].drawn or "") as copy:
        # 40 × 48, enlarged seven times, and a line below.
        assert copy.width == 320 or copy.size[0] == 40 * 7
        assert copy.height > 48 * 7


def test_copies_stand_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((100, 400, 3), np.uint8)).save(path, exif=exif)
    predictor = pictured.result().load().predictor
    (row,) = predict(predictor, [path], Ledger(), draw=tmp_path / "new")
    with Image.open(row.drawn or "") as copy:
        assert copy.height > 400 and copy.getexif().get(0x0112) is None


def test_names_stay_below_the_folder_and_apart(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "new", pictured.result().load().predictor)
    raw = next((pictured.data() / "test").rglob("*.png"))
    answer = Prediction("red", 0.5)
    given = ["../../a.png", "a.png", "A.PNG", "/etc/a.jpg", "c:\\x\\b.gif", "rows.csv"]
    paths = [copies.add(name, 1, Picture(str(raw), raw.read_bytes()), answer) for name in given]
    names = [path.relative_to(tmp_path / "new").as_posix() for path in paths]
    assert names == ["a.png", "a-2.png", "A-3.png", "etc/a.jpg", "c_/x/b.png", f"{raw.stem}.png"]
    assert copies.add("rows.parquet", 7, Picture(data=raw.read_bytes()), answer).name == "row-7.png"


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    predictor = pictured.result().load().predictor
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("x")
    with pytest.raises(NotEmpty, match="new or empty"):
        Copies(tmp_path / "full", predictor)
    with pytest.raises(BadSetting, match="read pictures"):
        list(predict(open_bundle(trained.run()), ["a text"], Ledger(), draw=tmp_path / "new"))
    raw = next((pictured.data() / "test").rglob("*.png"))
    with pytest.raises(BadSetting, match="answers otherwise"):
        Copies(tmp_path / "new", predictor).add("a.png", 1, Picture(str(raw)), replace(Prediction(None), answer=(0.5, 1.5)))
    assert not (tmp_path / "new").exists()
