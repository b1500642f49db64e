"""Memory of a process that computes batches of ever other sizes for months.

glibc raises the size from which a block is mapped by itself up to 32 MiB, as large ones are given back; then tensors of all sizes stand in one heap, small
things that stay lie between them, and the heap grows for as long as sizes are new. With a bound that stays, large tensors come and go by themselves. How low
it may be is a matter of speed: each mapped block is filled with zeros page by page, which pages of 2 MiB make cheap, where the system gives them to
who asks for them. The allocator asks if a variable says so when the process begins, so that is done for workers, which a server begins itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

MAPPED, MAPPED_HUGE = 8 << 20, 1 << 20
"""Bytes from which a block is mapped by itself, without large pages and with them. Without, less than 8 MiB costs a fifth of the speed (docs/lab-log.md)."""
TUNABLES, HUGE = "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"
"""What asks for large pages; glibc 2.35 and newer."""
PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_CHOSEN = "MALLOC_MMAP_THRESHOLD_"
_M_MMAP_THRESHOLD = -3
"""As in glibc's malloc.h; once it is set the library no longer moves it."""


def steady() -> int:
    """Hold the bound for this process; gives it in bytes. 0 where its allocator is not glibc's, or the person chose one in MALLOC_MMAP_THRESHOLD_."""
    if sys.platform != "linux" or _CHOSEN in os.environ:
        return 0
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    bound = MAPPED_HUGE if HUGE in os.environ.get(TUNABLES, "") and _given() else MAPPED
    return bound if mallopt is not None and mallopt(_M_MMAP_THRESHOLD, bound) else 0


def _given() -> bool:
    """Does the system give large pages?"""
    try:
        return "[never]" not in PAGES.read_text(encoding="ascii")
    except OSError:
        return False


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Processes that begin within ask for large pages, unless the person chose how memory is got."""
    if TUNABLES in os.environ or _CHOSEN in os.environ:
        yield
        return
    os.environ[TUNABLES] = HUGE
    try:
        yield
    finally:
        del os.environ[TUNABLES]
