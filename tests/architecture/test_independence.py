"""Parts and tools do not know each other; what they share stands in a private module or in a folder of its own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import grimp
import pytest

from tests.architecture.source import PACKAGE

SHELVES = ("modalities", "backbones", "tasks", "tools")


def knows(package: Path, shelf: str) -> list[tuple[str, str]]:
    """(importer, part) for every import, from within the shelf, of one of its parts: its public modules."""
    files = sorted((package / shelf).glob("*.py"))
    parts = [f"zhuji.{shelf}.{file.stem}" for file in files if not file.stem.startswith("_")]
    graph = grimp.build_graph("zhuji", cache_dir=None)
    within = {m for m in graph.modules if m.startswith(f"zhuji.{shelf}.")}
    return [(importer, part) for part in parts for importer in sorted(graph.find_modules_that_directly_import(part) & within)]


@pytest.mark.parametrize("shelf", SHELVES)
def test_parts_and_tools_do_not_know_each_other(shelf: str) -> None:
    assert not knows(PACKAGE, shelf)


def test_two_that_know_each_other_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "zhuji"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tools" / "one.py").write_text('"""One."""\n')
    (copy / "tools" / "two.py").write_text('"""Two."""\n\nimport zhuji.tools.one\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "zhuji"]:
        monkeypatch.delitem(sys.modules, name)
    assert ("zhuji.tools.two", "zhuji.tools.one") in knows(copy, "tools")
