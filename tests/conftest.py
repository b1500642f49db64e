"""What every test shares: a polite, single-threaded process, English messages, and the same examples on every machine."""

from __future__ import annotations

import os

# Before torch loads: two workers on two cores must not spin against each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["ZHUJI_LANG"] = "en"

from hypothesis import HealthCheck, settings

settings.register_profile(
    "zhuji", deadline=None, derandomize=True, database=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("zhuji")
