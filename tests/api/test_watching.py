from __future__ import annotations

from pathlib import Path

import pytest

import zhuji
from zhuji import api


def test_the_studio_is_handed_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("zhuji.studio.run.serve", lambda folder, port, **more: asked.append((folder, port, more["sets"])))
    api.studio(tmp_path, port=7, sets=["studio.every=3"])
    api.studio()
    assert asked == [(tmp_path, 7, ["studio.every=3"]), (Path("runs"), None, ())]
    assert zhuji.__version__
