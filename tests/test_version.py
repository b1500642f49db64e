from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from zhuji.version import __version__


def test_one_number_everywhere() -> None:
    assert version("zhuji") == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", __version__)


def test_the_changelog_knows_this_version() -> None:
    changelog = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in changelog
