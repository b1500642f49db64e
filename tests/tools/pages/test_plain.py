from __future__ import annotations

import os
from pathlib import Path

import pytest

from zhuji.tools.pages import plain


def test_links_pipes_folders_and_large_files_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "none"):
        with pytest.raises(OSError):
            plain.text(tmp_path / name)
    with pytest.raises(OSError, match="larger"):
        plain.text(secret, most=3)
    assert plain.text(secret) == "secret"
    assert [plain.is_file(tmp_path / name) for name in ("secret", "link", "pipe", "none")] == [True, False, False, False]
    (tmp_path / "way").symlink_to(tmp_path / "folder")
    assert plain.is_folder(tmp_path / "folder") and not plain.is_folder(tmp_path / "way")


def test_a_mapping_is_a_json_object(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert plain.mapping(path) == {}
    path.write_text('{"a": 1}')
    assert plain.mapping(path) == {"a": 1}
    for text in ("[1]", '{"a"', "[" * 200_000):
        path.write_text(text)
        with pytest.raises(ValueError):
            plain.mapping(path)


def test_a_change_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert plain.changed(path) == (0, 0, 0)
    path.write_text("a")
    before = plain.changed(path)
    path.write_text("ab")
    assert plain.changed(path) != before
