"""Public names and CLI options as text. To accept a change on purpose: `python -m tests.architecture.snapshot`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.architecture.rules import public_names
from tests.architecture.source import PACKAGE, module_name, parse, python_files

HERE = Path(__file__).parent
NAMES, OPTIONS = HERE / "public_names.txt", HERE / "cli_options.txt"


def names_text() -> str:
    """One block a module: its public names, one a line."""
    blocks = []
    for file in python_files(PACKAGE.name):
        names = [] if file.stem.startswith("_") else public_names(parse(file))
        if names:
            blocks.append("\n".join([module_name(file), *(f"  {name}" for name in names)]))
    return "\n".join(blocks) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(inner, f"{path} {name}")


def options_text() -> str:
    """One block a verb: its arguments and options, one a line."""
    import typer

    from zhuji.cli import app as module

    app = next(value for value in vars(module).values() if isinstance(value, typer.Typer))
    blocks = []
    for path, command in _commands(typer.main.get_command(app), "zhuji"):
        lines = sorted("  " + " ".join([*p.opts, *p.secondary_opts]) for p in command.params)
        blocks.append("\n".join([path, *lines]))
    return "\n".join(blocks) + "\n"


if __name__ == "__main__":
    NAMES.write_text(names_text(), encoding="utf-8")
    OPTIONS.write_text(options_text(), encoding="utf-8")
