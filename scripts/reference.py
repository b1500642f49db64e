"""Writes what the documentation takes from the code: settings, errors, recipes and commands, into docs/reference/.

Each page is made from the code's own texts, so that it cannot disagree with it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from zhuji.core import lookup
from zhuji.core.config import Part
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import ZhujiError, catalogue
from zhuji.recipes import library
from zhuji.training.run import Run

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
SHELVES: tuple[type[Part], ...] = (Modality, Backbone, Task)


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """The sentence below each field, from the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip(tree.body, tree.body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = " ".join(text.split())
    return found


def rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A table row for every setting of this group, and those of its groups below it."""
    texts = field_texts(model)
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from rows(inner, f"{prefix}{name}.")
            continue
        kind = inspect.formatannotation(inner).replace("typing.", "").replace("|", "or")
        default = "" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
        yield f"| `{prefix}{name}` | {kind} | {default} | {texts.get(name, '').replace('|', '/')} |"


def table(model: type[BaseModel], prefix: str = "") -> str:
    return "\n".join(["| setting | kind | default | |", "| --- | --- | --- | --- |", *rows(model, prefix)])


def settings_page() -> str:
    """Every setting of a run, and those of every part."""
    parts = [f"# Settings\n\n{inspect.getdoc(Run)}\n\n{table(Run)}"]
    for shelf in SHELVES:
        for name in lookup.names(shelf):
            part = lookup.find(shelf, name)
            parts.append(f"## {shelf.shelf}: {name}\n\n{inspect.getdoc(part) or ''}\n\n{table(part, f'{shelf.shelf}.')}")
    return "\n\n".join(parts)


def errors_page() -> str:
    """The catalogue, branch by branch, in both languages."""
    parts = [
        "# Errors\n\nEvery error that a person can meet. `zhuji` speaks the locale's language; `ZHUJI_LANG=en` or `zh` chooses."
    ]
    for branch in ZhujiError.__subclasses__():
        parts.append(f"## {branch.__name__}\n\nExit code {branch.exit_code}.")
        for code, error in catalogue().items():
            if issubclass(error, branch):
                lines = [f"- {rule}. *{fix}*" for rule, fix in (error.en, error.zh)]
                parts.append("\n".join([f"### {code}", "", *lines]))
    return "\n\n".join(parts)


def recipes_page() -> str:
    """Every recipe as it stands in its file."""
    parts = ["# Recipes\n\nNamed runs: `zhuji train DATA --model NAME`. A copy of one, changed, is a recipe of one's own."]
    for name in library.names():
        parts.append(f"## {name}\n\n```yaml\n{library.read(name).text.strip()}\n```")
    return "\n\n".join(parts)


def described(command: Any, path: str) -> Iterator[str]:
    """One section a verb: what it does, its arguments and options."""
    lines = [f"## {path}\n\n{command.help or ''}".rstrip(), ""]
    lines += [f"- `{' '.join([*p.opts, *p.secondary_opts])}` {getattr(p, 'help', '') or ''}".rstrip() for p in command.params]
    yield "\n".join(lines)
    for name, inner in getattr(command, "commands", {}).items():
        yield from described(inner, f"{path} {name}")


def commands_page() -> str:
    """Every verb with its options."""
    from zhuji.cli import app as commands

    app = next(value for value in vars(commands).values() if isinstance(value, typer.Typer))
    return "\n\n".join(["# Commands", *described(typer.main.get_command(app), "zhuji")])


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    pages = {"settings": settings_page, "errors": errors_page, "recipes": recipes_page, "commands": commands_page}
    for name, page in pages.items():
        (REFERENCE / f"{name}.md").write_text(page() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
