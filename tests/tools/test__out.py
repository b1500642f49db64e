from pathlib import Path

import pytest

from zhuji.core.unreadable import NotEmpty
from zhuji.tools._out import claim


def test_a_place_that_is_new_or_empty(tmp_path: Path) -> None:
    claim(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    claim(tmp_path / "empty")
    assert not any(tmp_path.iterdir())


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(NotEmpty):
            claim(place)
