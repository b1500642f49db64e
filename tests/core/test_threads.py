import os
import subprocess
import sys

import pytest

from zhuji.core.threads import POLITE, polite


def test_threads_are_made_to_wait_without_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    polite()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_the_person_has_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    polite()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize("module", ["zhuji", "zhuji.core.seed", "zhuji.cli.app"])
def test_it_is_set_before_torch_can_load(module: str) -> None:
    """Whatever module of ours comes first, the package comes before it."""
    clean = {name: value for name, value in os.environ.items() if name not in POLITE}
    program = f"import {module}, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=clean, check=True, timeout=120)
    assert done.stdout.split() == ["PASSIVE", "False"]
