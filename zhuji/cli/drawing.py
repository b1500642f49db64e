"""`draw`: a model that makes pictures."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Sets
from zhuji.core.log import in_language
from zhuji.core.quantity import seconds_text

if TYPE_CHECKING:
    from rich.console import Console

Model = Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A model that learned to make pictures.")]
Drawn = Annotated[int, typer.Option("--seed", help="Seed of what is drawn.")]


def draw(  # noqa: PLR0917 - the options of a verb
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the pictures, new or empty.")],
    count: Annotated[int, typer.Option("--count", help="Pictures.")] = 64,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="CLASS", help="Only this class; may be repeated. All in turn by default."),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Of a diffusion model: passes for each picture.")] = None,
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", help="Of a diffusion model: above 1 its classes show more clearly, and vary less."),
    ] = None,
    as_json: Json = False,
    seed: Drawn = 0,
    sets: Sets = None,
) -> None:
    """Draw pictures: a numbered PNG each, one sheet of them, and a note of how to get them again."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.draw(
            model, out, count=count, label=label or (), steps=steps, guidance=guidance, seed=seed, sets=sets or ()
        )  # fmt: skip
        answer({"run": str(model), **found.as_dict()}, _show_drawn)


def _show_drawn(screen: Console, found: Any) -> None:
    told = in_language("{:,} pictures in {}", "{:,} 张图片，位于 {}").format(found["count"], found["folder"])
    terminal.line(screen, in_language("drawn", "已绘制"), f"{told}  ({seconds_text(found['seconds'])})")
    if found["by_class"]:
        counts = [f"{name} {count:,}" for name, count in found["by_class"].items()]
        terminal.line(screen, in_language("classes", "类别"), " · ".join(counts))
    terminal.line(screen, in_language("sheet", "总览图"), found["sheet"])
    run, seed = shlex.quote(found["run"]), found["settings"]["seed"] + 1
    one = f" --label {shlex.quote(next(iter(found['by_class'])))}" if found["by_class"] else ""
    _next(screen, [
        f"zhuji draw {run}{one} --seed {seed} --out {shlex.quote(found['folder'] + '-2')}",
        f"zhuji realism {run} --by CLASSIFIER_RUN",
        f"zhuji evaluate {run}",
    ])  # fmt: skip


def _next(screen: Console, commands: list[str]) -> None:
    screen.print(in_language("\nnext:", "\n接下来："))
    for command in commands:
        screen.print(terminal.printable(f"  {command}"), soft_wrap=True)
