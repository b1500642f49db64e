"""Models that make pictures, from Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import zhuji
from tests import pictured
from tests.painter import painter
from zhuji.api import pictures as api
from zhuji.core.errors import BadSetting, ImpossiblePair


def test_only_a_model_that_makes_pictures_draws(tmp_path: Path) -> None:
    with pytest.raises(ImpossiblePair, match="learned to make pictures"):
        zhuji.draw(pictured.result().run, tmp_path / "out", label="red")
    with pytest.raises(BadSetting):
        zhuji.draw(pictured.result().run, tmp_path / "out", count=0)


def test_realism_lies_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = api.opened
    monkeypatch.setattr(api, "opened", lambda model: painter(0.2) if Path(model) == tmp_path else real(model))
    shutil.copytree(pictured.result().run, tmp_path, dirs_exist_ok=True)
    found = zhuji.realism(tmp_path, pictured.result().run, count=12, seed=1)
    assert found.rows["drawn"] == 12 and found.settings["seed"] == 1
    assert {path.name for path in (tmp_path / "realism").iterdir()} == {"realism.json", "realism.html", "pairs.png"}
