"""The folder into which a tool writes what a model makes."""

from __future__ import annotations

from pathlib import Path

from zhuji.core.unreadable import NotEmpty


def claim(out: Path) -> None:
    """Nothing may be at `out` but an empty folder, which goes: the whole folder takes its place. Raises NotEmpty."""
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
    elif out.exists() or out.is_symlink():
        raise NotEmpty(file=out)
