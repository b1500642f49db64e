"""`speak`: texts as sounds."""

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


def speak(  # noqa: PLR0917 - the options of a verb
    model: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A model that learned a voice.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the sounds, new or empty.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT|-]...", help="Texts to say, or - for lines of standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A text file of which each line is said; empty ones are not.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", help="Times as fast as the voice was learned, 0.25 to 4; the pitch stays.")
    ] = 1.0,
    speaker: Annotated[
        str | None, typer.Option("--speaker", metavar="NAME", help="Who speaks, of a model that learned several voices.")
    ] = None,
    vocoder: Annotated[
        Path | None,
        typer.Option(
            "--vocoder", metavar="RUN|BUNDLE", help="A vocoder that learned from the same frames, instead of Griffin-Lim."
        ),
    ] = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Say texts: a WAV file for each, and a note of what is said in which."""
    from zhuji import api

    asked = [*terminal.texts(texts or ([] if file else ["-"])), *_lines(file)]
    with terminal.speaking(as_json) as answer:
        found = api.speak(model, asked, out, speed=speed, speaker=speaker, vocoder=vocoder, sets=sets or ())
        answer({"run": str(model), **found.as_dict()}, _show)


def _lines(file: Path | None) -> list[str]:
    """The lines that hold something. Raises MissingFile and DamagedFile."""
    if file is None:
        return []
    from zhuji.core.errors import DamagedFile, MissingFile

    if not file.is_file():
        raise MissingFile(file=file)
    try:
        return [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise DamagedFile(
            file=file, format=in_language("text", "文本"), why=in_language("it is not UTF-8 text", "它不是 UTF-8 文本")
        ) from None


def _show(screen: Console, found: Any) -> None:
    told = in_language("{:,} sounds in {}", "{:,} 段声音，位于 {}").format(len(found["files"]), found["folder"])
    terminal.line(screen, in_language("said", "已朗读"), f"{told}  ({seconds_text(found['took'])})")
    lasting = in_language("{:.1f} s at {:,} Hz", "{:.1f} 秒，{:,} Hz").format(found["seconds"], found["rate"])
    terminal.line(screen, in_language("sound", "声音"), lasting)
    terminal.lines(screen, ((one["file"], f"{one['seconds']:.2f} s") for one in found["files"][:5]))
    run, folder = shlex.quote(found["run"]), found["folder"]
    terminal.invite(
        screen,
        f"zhuji speak {run} --file LINES.txt --out {shlex.quote(folder + '-2')} --speed 0.8",
        f"zhuji predict RECOGNISER_RUN {shlex.quote(folder)}",
        f"zhuji serve {run}",
    )
