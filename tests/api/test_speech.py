"""Texts said, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import zhuji
from tests import voiced
from zhuji.core.errors import BadSetting


def test_a_bundle_speaks(tmp_path: Path) -> None:
    found = zhuji.speak(voiced.voice(), "ab cd", tmp_path / "one", sets=["speak.steps=2"])
    slow = zhuji.speak(voiced.voice(), ["ab cd", "a"], tmp_path / "two", speed=0.5, speaker="low", sets=["speak.steps=2"])
    assert len(found.files) == 1 and len(slow.files) == 2
    assert slow.files[0]["seconds"] > 1.5 * found.files[0]["seconds"]
    with pytest.raises(BadSetting, match=r"speak\.speed"):
        zhuji.speak(voiced.voice(), "ab", tmp_path / "three", speed=9)
