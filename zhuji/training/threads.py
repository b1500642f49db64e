"""How many CPUs this process may use, and making torch use so many."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import torch

CGROUPS = Path("/sys/fs/cgroup")


def cpus(cgroups: Path = CGROUPS) -> int:
    """CPUs that this process may use: those it may run on, or fewer where a control group's quota grants less."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroups)
    return max(1, min(allowed, math.ceil(quota))) if quota else allowed


def use(threads: int | None) -> int:
    """Have torch use this many threads (None: `cpus()`), and say how many those are."""
    threads = threads or cpus()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


def _quota(cgroups: Path) -> float | None:
    """CPUs granted by the control group, version 2 or 1; None without a limit."""
    with contextlib.suppress(OSError, ValueError):
        granted, period = (cgroups / "cpu.max").read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    with contextlib.suppress(OSError, ValueError):
        granted = int((cgroups / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((cgroups / "cpu" / "cpu.cfs_period_us").read_text())
        return granted / period if granted > 0 else None
    return None
