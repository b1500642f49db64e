"""Fifty kills over one training; see `benchmarks/kill_test.py`."""

import csv
import importlib.util
import random
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_test.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_kills_change_nothing(tmp_path):
    spec = importlib.util.spec_from_file_location("kill_test_long", BENCHMARK)
    kill_test = importlib.util.module_from_spec(spec)
    sys.modules["kill_test_long"] = kill_test
    spec.loader.exec_module(kill_test)
    rng = random.Random(0)
    words = [
        "the",
        "a",
        "film",
        "scene",
        "story",
        "hour",
        "actor",
        "music",
        "camera",
        "voice",
        "room",
        "street",
        "river",
        "light",
        "house",
        "tree",
    ]
    rows = [
        [" ".join([*rng.choices(words, k=rng.randint(5, 30)), ["good", "bad"][i % 2]]), ["yes", "no"][i % 2]]
        for i in range(2000)
    ]
    with open(tmp_path / "reviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    outcome = kill_test.run(tmp_path / "reviews.csv", tmp_path, kills=50, steps=1000, rows=2000)
    assert outcome.kills == 50
    assert not outcome.unreadable
    assert not outcome.differences
