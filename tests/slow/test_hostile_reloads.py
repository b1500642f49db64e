"""A running server whose folder is exchanged for every stranger's in turn, watched by the kernel: it answers as before each time, reads
nothing outside and writes nothing at all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import zhuji
from tests.faults.strangers import CASES
from tests.serving import live, made
from zhuji.serving.shelf import version_of

pytestmark = [
    pytest.mark.slow, pytest.mark.enable_socket, pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]  # fmt: skip
READ = re.compile(r'\b(?:open|openat|openat2)\((?:AT_FDCWD[^,]*, )?"([^"]*)", ([A-Z_|]+)')
REACHED = re.compile(r"\bopenat2?(?: resumed>.*|\(.*)= \d+<([^>]*)>$")
"""What was opened in the end: a link inside may lead out."""
CHANGE = re.compile(
    r"\b(creat|mkdir|mkdirat|rmdir|unlink|unlinkat|rename|renameat|renameat2|link|linkat|symlink|symlinkat|truncate|chmod|fchmodat|chown|"
    r"fchownat|mknod|mknodat|setxattr|execve|execveat|connect|ptrace)\("
)
OURS = (str(Path(zhuji.__file__).parent), sys.prefix, sys.base_prefix, "/proc/self/", "/sys/", "/dev/null")


def answer(url: str) -> Any:
    asked = urllib.request.Request(
        f"{url}/predict", json.dumps({"inputs": made.TEXTS}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30) as response:
        told = json.load(response)
    return told["version"], told["predictions"]


def stranger(name: str, place: Path) -> Path:
    """A bundle that this was done to."""
    (place / "outside").mkdir(parents=True)
    shutil.copytree(made.of_task("classify"), place / "b")
    CASES[name](place / "b", place / "outside")
    return place / "b"


def test_every_stranger_in_turn(tmp_path):
    served, trace = tmp_path / "served" / "b", tmp_path / "trace"
    served.parent.mkdir()
    whole = made.of_task("classify")
    shutil.copytree(whole, served)
    prefix = ["strace", "-f", "--seccomp-bpf", "-y", "-ttt", "-s", "4096", "-e", "trace=%file,%network", "-o", str(trace)]
    server = live.start(str(served), "--set", "serve.poll=0.05", prefix=prefix)
    before, refused = answer(server.url), 0
    ready = time.time()
    try:
        for number, name in enumerate(CASES):
            handed = stranger(name, tmp_path / f"stranger-{number}")
            served.rename(tmp_path / f"old-{number}")
            handed.rename(served)
            if version_of(served) != version_of(whole):
                told = server.wait("version_refused")
                assert told["kept"] == before[0] and told["reason"]
                refused += 1
            assert answer(server.url) == before, name
    finally:
        ended = time.time()
        server.stop()
    assert refused > 130
    lines = [line.split(maxsplit=2)[1:] for line in trace.read_text(errors="replace").splitlines()]
    watched = [what for when, what in lines if ready < float(when) < ended]
    opened = [READ.search(line) for line in watched]
    found = [(match[1], match[2]) for match in opened if match]
    assert any(path.startswith(str(served)) for path, _ in found)
    reached = [match[1] for line in watched if (match := REACHED.search(line))]
    assert len(reached) > 500
    assert not [
        path
        for path in (*reached, *(path for path, _ in found))
        if not path.startswith((str(tmp_path / "old-"), str(served.parent), *OURS))
    ]
    assert not [
        (path, flags) for path, flags in found if re.search("WRONLY|RDWR|CREAT|TRUNC|APPEND", flags) and path != "/dev/null"
    ]
    assert not [line for line in watched if CHANGE.search(line)]
    assert not list(tmp_path.glob("stranger-*/outside/ran"))
    print(f"{len(CASES)} strangers, {refused} with other hashes, {len(watched)} calls watched")


def test_starts_with_every_stranger(tmp_path):
    """`zhuji serve` itself, one in eight of them: one line, exit code 4."""
    for number, name in enumerate(list(CASES)[::8]):
        folder = stranger(name, tmp_path / str(number))
        done = subprocess.run(
            [sys.executable, "-m", "zhuji", "serve", str(folder), "--port", "0"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (4, "", 1), (name, done.stderr)
