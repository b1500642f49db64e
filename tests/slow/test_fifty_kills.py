"""Fifty kills over one training; see `benchmarks/kill_test.py`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests import made_up

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_test.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_kills_change_nothing(tmp_path):
    spec = importlib.util.spec_from_file_location("kill_test_long", BENCHMARK)
    kill_test = importlib.util.module_from_spec(spec)
    sys.modules["kill_test_long"] = kill_test
    spec.loader.exec_module(kill_test)
    made_up.reviews(tmp_path / "reviews.csv", rows=2000)
    outcome = kill_test.run(tmp_path / "reviews.csv", tmp_path, kills=50, steps=1000, rows=2000)
    assert outcome.kills == 50
    assert not outcome.unreadable
    assert not outcome.differences
