"""SIGKILL at random moments over one training; the long version is in `tests/slow`, the figures come from `benchmarks/kill_test.py`."""

import csv
import importlib.util
import random
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_test.py"


@pytest.fixture(scope="module")
def kill_test():
    spec = importlib.util.spec_from_file_location("kill_test", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["kill_test"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reviews(tmp_path):
    rng, path = random.Random(0), tmp_path / "reviews.csv"
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
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(200):
            writer.writerow(
                [" ".join([*rng.choices(words, k=rng.randint(5, 30)), ["good", "bad"][i % 2]]), ["yes", "no"][i % 2]]
            )
    return path


@pytest.mark.timeout(280)
def test_three_kills_change_nothing(kill_test, reviews, tmp_path):
    outcome = kill_test.run(reviews, tmp_path, kills=3, steps=40, rows=200)
    assert outcome.kills == 3
    assert outcome.checked >= 3
    assert not outcome.unreadable
    assert not outcome.differences
