"""Models that make pictures, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import zhuji
from tests import pictured
from zhuji.core.errors import BadSetting, ImpossiblePair


def test_only_a_model_that_makes_pictures_draws(tmp_path: Path) -> None:
    with pytest.raises(ImpossiblePair, match="learned to make pictures"):
        zhuji.draw(pictured.result().run, tmp_path / "out", label="red")
    with pytest.raises(BadSetting):
        zhuji.draw(pictured.result().run, tmp_path / "out", count=0)
