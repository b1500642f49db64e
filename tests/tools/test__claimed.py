from __future__ import annotations

from pathlib import Path

import pytest

from zhuji.core.unreadable import NotEmpty
from zhuji.tools._claimed import claim


def test_a_new_or_an_empty_folder_is_claimed_and_nothing_else(tmp_path: Path) -> None:
    claim(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    claim(tmp_path / "empty")
    assert not (tmp_path / "empty").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link"):
        with pytest.raises(NotEmpty):
            claim(tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
