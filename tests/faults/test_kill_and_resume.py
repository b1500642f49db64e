"""SIGKILL at random moments over one training; the long version is in `tests/slow`, the figures come from `benchmarks/kill_test.py`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests import made_up

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_test.py"


@pytest.fixture(scope="module")
def kill_test():
    spec = importlib.util.spec_from_file_location("kill_test", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["kill_test"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(280)
def test_three_kills_change_nothing(kill_test, tmp_path):
    outcome = kill_test.run(made_up.reviews(tmp_path / "reviews.csv"), tmp_path, kills=3, steps=40, rows=200)
    assert outcome.kills == 3
    assert outcome.checked >= 3
    assert not outcome.unreadable
    assert not outcome.differences
