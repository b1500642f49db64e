"""Public names and CLI options change on purpose only: `python -m tests.architecture.snapshot` accepts a change."""

from __future__ import annotations

from tests.architecture.snapshot import NAMES, OPTIONS, names_text, options_text


def test_public_names_are_those_agreed() -> None:
    assert names_text() == NAMES.read_text(encoding="utf-8")


def test_cli_options_are_those_agreed() -> None:
    assert options_text() == OPTIONS.read_text(encoding="utf-8")
