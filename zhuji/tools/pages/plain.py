"""Files of run folders that somebody else may have made: read only if they are plain files, never through a link, never more than is fit."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import IO, Any

from zhuji.core.log import in_language

MOST = 2**26
"""Bytes of a file that is read whole."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def opened(path: Path) -> tuple[IO[bytes], os.stat_result]:
    """The file, open, and what is known of it. Raises OSError for a link, a pipe, or whatever else is not a plain file."""
    handle = os.open(path, _FLAGS)
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, in_language("not a plain file", "不是普通文件"), str(path))
    return os.fdopen(handle, "rb"), about


def text(path: Path, most: int = MOST) -> str:
    """The whole text; what is not UTF-8 in it is replaced. Raises OSError, also for a file of more than `most` bytes."""
    file, about = opened(path)
    with file:
        if about.st_size > most:
            raise OSError(errno.EFBIG, in_language(f"larger than {most:,} bytes", f"超过 {most:,} 字节"), str(path))
        return file.read(most + 1).decode("utf-8", "replace")


def mapping(path: Path) -> dict[str, Any]:
    """The JSON object that a file holds; empty if there is no such file. Raises OSError, ValueError."""
    try:
        found = json.loads(text(path))
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise ValueError(in_language("nested too deeply", "嵌套过深")) from None
    if not isinstance(found, dict):
        raise ValueError(in_language("not a JSON object", "不是 JSON 对象"))
    return found


def is_folder(path: Path) -> bool:
    """A folder itself, not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """A plain file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def changed(path: Path) -> tuple[int, int, int]:
    """What differs as soon as a file does; zeros where there is none."""
    try:
        about = path.lstat()
    except OSError:
        return 0, 0, 0
    return about.st_mtime_ns, about.st_size, about.st_ino
