"""How long `zhuji --help` takes: the median of 20 cold processes. Target: under 0.5 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import record

ZHUJI = Path(sys.executable).parent / "zhuji"


def seconds() -> float:
    began = time.perf_counter()
    subprocess.run([ZHUJI, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    seconds()  # fills the file cache
    taken = sorted(seconds() for _ in range(20))
    body = f"`zhuji --help`: median **{statistics.median(taken):.2f} s** ({taken[0]:.2f}–{taken[-1]:.2f}, 20 processes); target < 0.5 s."
    record("help_time", "Time to the first word", body, "python benchmarks/help_time.py")


if __name__ == "__main__":
    main()
