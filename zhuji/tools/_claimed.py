"""Where several files are written as one folder."""

from __future__ import annotations

from pathlib import Path

from zhuji.core.unreadable import NotEmpty


def claim(out: Path) -> None:
    """Makes room for a folder that will appear whole. Raises NotEmpty unless there is nothing, or an empty folder."""
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()  # the whole folder takes its place
    elif out.exists() or out.is_symlink():
        raise NotEmpty(file=out)
