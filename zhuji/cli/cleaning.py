"""`enhance`: sounds freed of noise."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Sets, Unmoved
from zhuji.core.log import in_language
from zhuji.core.quantity import seconds_text

if TYPE_CHECKING:
    from rich.console import Console


def enhance(  # noqa: PLR0917 - the options of a verb
    model: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A model that learned to clean sounds.")],
    source: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="A sound, or a folder of sounds.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the cleaned sounds.")],
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Free sounds of noise: a WAV file each; --set enhance.KEY=VALUE reaches every setting."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.enhance(model, source, out, sets=sets or ())
        answer({"run": str(model), **found.as_dict()}, _show_enhanced)


def _show_enhanced(screen: Console, found: Any) -> None:
    told = in_language("{:,} sounds in {}, {:,} Hz", "{:,} 个声音，位于 {}，{:,} Hz")
    terminal.line(screen, in_language("written", "已写入"), told.format(found["count"], found["folder"], found["rate"]))
    if found["failed"]:
        told = in_language("{:,} could not be read, as told above", "{:,} 个无法读取，原因见上").format(found["failed"])
        terminal.line(screen, in_language("left out", "已略过"), told)
    if clipped := sum(one.get("clipped", 0) for one in found["files"]):
        told = in_language("{:,} samples louder than full scale", "{:,} 个采样超出满幅").format(clipped)
        terminal.line(screen, in_language("clipped", "削波"), told)
    told = in_language("{} seconds of work for a second of sound; {} of sound in all", "每秒声音用时 {} 秒；声音共 {}")
    terminal.line(
        screen,
        in_language("real-time factor", "实时率"),
        told.format(terminal.number(found["real_time_factor"]), seconds_text(found["seconds"])),
    )
    run = shlex.quote(found["run"])
    terminal.invite(screen, f"zhuji evaluate {run}", f"zhuji benchmark {run}")
