"""SIGKILL at random moments over one training; the long version is in `tests/slow`, the figures come from `benchmarks/kill_test.py`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests import made_up, pictured, voiced

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kill_test.py"


@pytest.fixture(scope="module")
def kill_test():
    spec = importlib.util.spec_from_file_location("kill_test", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules["kill_test"] = module
    spec.loader.exec_module(module)
    return module


def _unchanged(outcome, kills):
    assert outcome.kills == kills
    assert outcome.checked >= kills
    assert not outcome.unreadable
    assert not outcome.differences


@pytest.mark.timeout(280)
@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_kills_change_nothing(kill_test, tmp_path, kills):
    data = made_up.reviews(tmp_path / "reviews.csv")
    _unchanged(kill_test.run(tmp_path, kill_test.settings(data, steps=40, rows=200), kills=kills), kills)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_two_kills_change_no_pretraining(kill_test, tmp_path):
    texts = made_up.texts(tmp_path / "texts.txt")
    _unchanged(kill_test.run(tmp_path, kill_test.pretraining(texts, steps=30), kills=2), 2)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_kill_changes_no_game(kill_test, tmp_path):
    """Two players: the last state that is compared holds what both optimisers remember."""
    pictures = pictured.write_pictures(tmp_path / "pictures")
    _unchanged(kill_test.run(tmp_path, kill_test.playing(pictures, steps=30), kills=1), 1)
    state = kill_test.essence(tmp_path / "killed")["the last state"]
    assert all(f"optimiser/{name}".encode() in state for name in ("encoder.body.", "head.score.", "head.maker."))


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_kill_changes_no_vocoder(kill_test, tmp_path):
    recordings = voiced.recordings(tmp_path / "recordings")
    # Without transcripts and speakers: every recording is a group of its own.
    clips = sorted(path.name for path in (recordings / "clips").iterdir())
    (recordings / "metadata.csv").write_text("file_name\n" + "".join(f"clips/{name}\n" for name in clips))
    _unchanged(kill_test.run(tmp_path, kill_test.vocoding(recordings, steps=30), kills=1), 1)
    state = kill_test.essence(tmp_path / "killed")["the last state"]
    assert all(f"optimiser/{name}".encode() in state for name in ("encoder.body.", "head.critics.", "head.spectrum."))
