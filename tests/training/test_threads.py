import os
import subprocess
import sys

import pytest
import torch

from zhuji.training import threads


def cgroup(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu_dot_max": "max 100000\n"}, 8),
        ({"cpu_dot_max": "200000 100000\n"}, 2),
        ({"cpu_dot_max": "150000 100000\n"}, 2),
        ({"cpu_dot_max": "10000 100000\n"}, 1),
        ({"cpu_dot_max": "9900000 100000\n"}, 8),
        ({"cpu__cpu.cfs_quota_us": "-1\n", "cpu__cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu__cpu.cfs_quota_us": "300000\n", "cpu__cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu_dot_max": "nonsense"}, 8),
    ],
)
def test_cpus_are_those_allowed_and_granted(tmp_path, monkeypatch, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert threads.cpus(cgroup(tmp_path, **files)) == expected


def test_use_sets_torch():
    before = torch.get_num_threads()
    try:
        assert threads.use(1) == 1
        assert torch.get_num_threads() == 1
        assert threads.use(None) == threads.cpus() == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_is_passive_before_torch_loads_unless_the_person_says_otherwise(given, expected):
    code = "import os, sys; from zhuji.core.threads import polite; polite(); print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | (
        {"OMP_WAIT_POLICY": given} if given else {}
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected, "False"]
