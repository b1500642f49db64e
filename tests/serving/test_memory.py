"""What a process that serves does to its allocator, tried in processes of their own: it stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRIED = """
import ctypes, random, sys
from zhuji.serving.memory import MAPPED, steady
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
print(steady() if sys.argv[1] == "steady" else "as it is")
libc.free(libc.malloc(3 * MAPPED))  # by itself, glibc takes from here on what is smaller from the heap
heap = [line.split()[0].split("-") for line in open("/proc/self/maps") if "[heap]" in line][0]
block = libc.malloc(2 * MAPPED)
heap = [line.split()[0].split("-") for line in open("/proc/self/maps") if "[heap]" in line][0]
print(int(heap[0], 16) <= block < int(heap[1], 16))
"""


def tried(how, **environment):
    done = subprocess.run([sys.executable, "-c", TRIED, how], capture_output=True, text=True, check=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment})  # fmt: skip
    return done.stdout.split("\n")[:2]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is that of Linux")
def test_a_large_block_stays_out_of_the_heap():
    assert tried("plain") == ["as it is", "True"]
    assert tried("steady") == ["True", "False"]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is that of Linux")
def test_what_a_person_chose_is_left_alone():
    assert tried("steady", MALLOC_MMAP_THRESHOLD_="65536")[0] == "False"
