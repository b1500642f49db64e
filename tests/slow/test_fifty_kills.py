"""Fifty kills over one training, thirty over one pretraining and thirty over a game of two; see `benchmarks/kill_test.py`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests import made_up, pictured

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_test.py"


@pytest.fixture(scope="module")
def kill_test():
    spec = importlib.util.spec_from_file_location("kill_test_long", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["kill_test_long"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_kills_change_nothing(kill_test, tmp_path):
    data = made_up.reviews(tmp_path / "reviews.csv", rows=2000)
    outcome = kill_test.run(tmp_path, kill_test.settings(data, steps=1000, rows=2000), kills=50)
    assert outcome.kills == 50
    assert not outcome.unreadable
    assert not outcome.differences


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_kills_change_no_pretraining(kill_test, tmp_path):
    texts = made_up.texts(tmp_path / "texts.txt", lines=2000)
    outcome = kill_test.run(tmp_path, kill_test.pretraining(texts, steps=600), kills=30)
    assert outcome.kills == 30
    assert not outcome.unreadable
    assert not outcome.differences


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("optim", ["adamw", "muon"])
def test_thirty_kills_change_no_game(kill_test, tmp_path, optim):
    pictures = pictured.write_pictures(tmp_path / "pictures", rows=300)
    outcome = kill_test.run(tmp_path, kill_test.playing(pictures, steps=600, rows=300, optim=optim), kills=30)
    assert outcome.kills == 30
    assert not outcome.unreadable
    assert not outcome.differences
