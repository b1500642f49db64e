"""The page over a folder of runs, as one file that needs no other: its style and its program stand inside it, named by their hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from zhuji.tools.pages.across import across
from zhuji.tools.pages.page import policy_hash, render, sheet
from zhuji.tools.pages.runs import Reader, run_folders, shown_folder


def folder_facts(folder: Path) -> dict[str, Any]:
    """What the runs of a folder say, see `across`. `count` is 0 where there is none."""
    return across([Reader(path).look() for path in run_folders(folder)])


def folder_page(folder: Path, found: dict[str, Any]) -> str:
    """The HTML over the runs of a folder, in the person's language."""
    style, script = sheet("style.css", "across.css"), sheet("across.js")
    return render(
        "folder.html", title=shown_folder(folder.resolve()), found=found, style=Markup(style), script=Markup(script),  # noqa: S704 - our own files
        style_hash=policy_hash(style), script_hash=policy_hash(script),
    )  # fmt: skip
