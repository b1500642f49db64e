import shlex
from pathlib import Path

from zhuji.tools.pages.commands import next_commands


def test_paths_are_quoted() -> None:
    assert [shlex.split(c)[2] for c in next_commands(Path("my runs/$(x)"))] == ["my runs/$(x)"] * 3
