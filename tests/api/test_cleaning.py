from __future__ import annotations

from pathlib import Path

import pytest

import zhuji
from tests.heard import tone, written
from tests.tools.test_enhance import cleaner
from zhuji.core.errors import BadSetting


def test_a_sound_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhuji.api.pictures.opened", lambda model: cleaner())
    file = written(tmp_path / "a.wav", tone(440, 0.2))
    found = zhuji.enhance("run", file, tmp_path / "out", piece=1.0, overlap=0.1)
    assert found.done[0].out == tmp_path / "out" / "a.wav" and found.rate == 8_000
    with pytest.raises(BadSetting):
        zhuji.enhance("run", file, tmp_path / "out", sets=["enhance.piece=0"])
