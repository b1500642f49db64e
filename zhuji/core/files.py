"""Files that are either whole or not there: every write goes to a temporary neighbour and is renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

from zhuji.core.log import in_language

PARTIAL = ".partial-"
"""Prefix of what is being written; whatever bears it may be deleted when nobody writes."""


_REASONS = {
    errno.EACCES: "权限不足", errno.EPERM: "操作不被允许", errno.ELOOP: "符号链接循环", errno.ENOSPC: "磁盘空间不足",
    errno.EDQUOT: "超出磁盘配额", errno.EIO: "读写错误", errno.ENOENT: "没有这个文件", errno.EISDIR: "它是文件夹",
    errno.ENOTDIR: "它不是文件夹", errno.ENAMETOOLONG: "名称过长", errno.EROFS: "文件系统只读", errno.EMFILE: "打开的文件过多",
    errno.EADDRINUSE: "地址已被占用", errno.EADDRNOTAVAIL: "本机没有该地址",
}  # fmt: skip


def os_reason(error: OSError) -> str:
    """Why the operating system refused, in the person's language; in its own words where there are none of ours."""
    told = error.strerror or str(error)
    return in_language(told, _REASONS.get(error.errno or 0, f"「{told}」"))


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def atomic_file(path: Path) -> Generator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends well, and leaves nothing when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
        _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """A folder that appears at `path` complete or not at all; `path` must not exist."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    try:
        yield partial
        for file in sorted(p for p in partial.rglob("*") if p.is_file()):
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
        os.chmod(partial, 0o777 & ~_umask())
        os.rename(partial, path)
        _sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sweep(folder: Path) -> None:
    """Remove what an interrupted write left behind in `folder`."""
    for left in Path(folder).glob(f"{PARTIAL}*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def write_text(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def write_json(path: Path, data: Any) -> None:
    write_text(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
