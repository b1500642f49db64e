"""Memory of a process that computes batches of ever other sizes for months.

glibc raises the size from which a block is mapped by itself up to 32 MiB, as large ones are given back; then tensors of all sizes stand in one heap, small
things that stay lie between them, and the heap grows for as long as sizes are new. With a bound that stays, large tensors come and go by themselves.
"""

from __future__ import annotations

import ctypes
import os
import sys

MAPPED = 8 << 20
"""Bytes from which a block is mapped by itself. With 4 MiB a fifth of the speed goes into mapping; memory is flat with both (docs/lab-log.md)."""
_M_MMAP_THRESHOLD = -3
"""As in glibc's malloc.h; once it is set the library no longer moves it."""


def steady() -> bool:
    """Hold the bound for this process. False where its allocator is not glibc's, or the person chose one in MALLOC_MMAP_THRESHOLD_."""
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, MAPPED))
