from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import pictured
from tests.painter import SIDE, painter
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownName
from zhuji.core.unreadable import NotEmpty
from zhuji.model.bundle import open_bundle
from zhuji.model.draw import DrawSettings, drawn
from zhuji.tools import draw as tool
from zhuji.tools.draw import draw


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_pictures_lie_numbered_and_named_by_class(tmp_path: Path) -> None:
    settings = DrawSettings(count=7, seed=3, batch=4)
    made = draw(painter(), settings, tmp_path / "new" / "out")
    assert made.files[:4] == ("0001-green.png", "0002-red.png", "0003-蓝.png", "0004-green.png")
    assert made.by_class == {"green": 3, "red": 2, "蓝": 2}
    for name, array in zip(made.files, drawn(painter().model, settings), strict=True):
        np.testing.assert_array_equal(pixels(made.folder / name), array)
    note = json.loads((made.folder / "drawn.json").read_text())
    assert note["settings"]["seed"] == 3 and note["model"] == made.model and len(made.model) == 64
    assert note["files"][2] == {"file": "0003-蓝.png", "label": "蓝"}
    assert {path.name for path in made.folder.iterdir()} == {*made.files, "drawn.json", "sheet.png"}


def test_only_the_classes_that_were_asked_for(tmp_path: Path) -> None:
    made = draw(painter(), DrawSettings(count=3, labels=("red",)), tmp_path / "out")
    assert made.files == ("0001-red.png", "0002-red.png", "0003-red.png") and made.by_class == {"red": 3}


def test_the_sheet_shows_a_row_a_class(tmp_path: Path) -> None:
    made = draw(painter(noise=0.0), DrawSettings(count=36), tmp_path / "out")
    sheet = pixels(made.sheet)
    # A cell is the picture seven times as large: 56 pixels; of the twelve of a class ten are shown.
    margin = sheet.shape[1] - 10 * 60 - 4
    assert margin > 20 and sheet.shape[0] >= 3 * 60
    seen = {tuple(sheet[y, x]) for y in range(0, len(sheet), 9) for x in range(margin + 4, sheet.shape[1], 9)}
    assert {tuple(colour) for colour in pictured.COLOURS.values()} <= seen
    green, red = (np.argwhere((sheet == pictured.COLOURS[name]).all(-1)) for name in ("green", "red"))
    assert green[:, 0].max() < red[:, 0].min() and len(green) == 10 * (7 * SIDE) ** 2
    assert (sheet[:, :margin] < 200).any(), "the class stands before its row"


def test_a_model_without_classes(tmp_path: Path) -> None:
    made = draw(painter(conditional=False), DrawSettings(count=12), tmp_path / "out")
    assert made.files[0] == "0001.png" and made.by_class == {}
    assert pixels(made.sheet).shape[:2] == (2 * 60 + 4, 10 * 60 + 4)
    with pytest.raises(BadSetting):
        draw(painter(conditional=False), DrawSettings(labels=("red",)), tmp_path / "other")


def test_the_sheet_keeps_few_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "ROWS", 2)
    made = draw(painter(conditional=False), DrawSettings(count=45), tmp_path / "out")
    assert pixels(made.sheet).shape[0] == 2 * 60 + 4 and len(made.files) == 45


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(NotEmpty):
        draw(painter(), DrawSettings(count=1), tmp_path)
    with pytest.raises(NotEmpty):
        draw(painter(), DrawSettings(count=1), tmp_path / "mine.txt")
    (tmp_path / "empty").mkdir()
    assert draw(painter(), DrawSettings(count=1), tmp_path / "empty").files == ("0001-green.png",)


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tool, "write_json", full)
    with pytest.raises(OSError, match="space"):
        draw(painter(), DrawSettings(count=2), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="green, red"):
        draw(painter(), DrawSettings(labels=("purple",)), tmp_path / "out")
    with pytest.raises(ImpossiblePair):
        draw(open_bundle(pictured.result().bundle), DrawSettings(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_hold_nothing_that_leads_elsewhere() -> None:
    assert tool._name(8, 20000, ("../a b/c",) * 9) == "00009-_a_b_c.png"  # pyright: ignore[reportPrivateUsage]
