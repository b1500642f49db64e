"""What a process that serves does to its allocator, tried in processes of their own: it stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zhuji.serving.memory import MAPPED, MAPPED_HUGE, PAGES, TUNABLES, asking

ROOT = Path(__file__).parents[2]
TRIED = """
import ctypes, sys
from zhuji.serving.memory import MAPPED, steady
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
print(bound := steady() if sys.argv[1] == "steady" else 0)
libc.free(libc.malloc(3 * MAPPED))  # by itself, glibc takes from here on what is smaller from the heap
block = libc.malloc(2 * (bound or MAPPED))
heap = [line.split()[0].split("-") for line in open("/proc/self/maps") if "[heap]" in line][0]
print(int(heap[0], 16) <= block < int(heap[1], 16))
"""


def tried(how, **environment):
    done = subprocess.run([sys.executable, "-c", TRIED, how], capture_output=True, text=True, check=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment})  # fmt: skip
    return done.stdout.split("\n")[:2]


linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is that of Linux")


@linux
def test_a_large_block_stays_out_of_the_heap():
    assert tried("plain") == ["0", "True"]
    assert tried("steady", GLIBC_TUNABLES="") == [str(MAPPED), "False"]


@linux
def test_with_large_pages_smaller_blocks_do_as_well():
    bound = MAPPED if "[never]" in PAGES.read_text() else MAPPED_HUGE
    with asking():
        assert tried("steady") == [str(bound), "False"]
    assert TUNABLES not in os.environ


@linux
def test_what_a_person_chose_is_left_alone(monkeypatch):
    assert tried("steady", MALLOC_MMAP_THRESHOLD_="65536")[0] == "0"
    monkeypatch.setenv(TUNABLES, "glibc.malloc.arena_max=1")
    with asking():
        assert os.environ[TUNABLES] == "glibc.malloc.arena_max=1"
        assert tried("steady")[0] == str(MAPPED)
