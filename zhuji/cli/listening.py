"""`transcribe`: what is said in a recording of any length, as it is understood."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Sets, Unmoved
from zhuji.core.log import in_language

if TYPE_CHECKING:
    from rich.console import Console

    from zhuji.model.streaming import Partial


def transcribe(  # noqa: PLR0917 - the options of a verb
    model: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A model that learned to transcribe.")],
    sound: Annotated[str, typer.Argument(metavar="SOUND", help="A recording of any length: WAV, FLAC, OGG or MP3.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a .txt, .srt or .vtt file.")] = None,
    chunk: Annotated[float | None, typer.Option("--chunk", help="Seconds understood at a time; 8 by default.")] = None,
    left: Annotated[
        float | None, typer.Option("--left", help="Seconds before them that are heard again; 2 by default.")
    ] = None,
    right: Annotated[
        float | None, typer.Option("--right", help="Seconds behind them that are heard already; 2 by default.")
    ] = None,
    pause: Annotated[
        float | None, typer.Option("--pause", help="Seconds without a letter that part words; 0.4 by default.")
    ] = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Write down what is said in a long recording, in constant memory; --set decode.beams=16 and the like change how texts are sought."""
    from zhuji import api
    from zhuji.core.files import write_text
    from zhuji.tools.transcribe import refuse_unknown

    if out is not None:
        refuse_unknown(out)
    asked: dict[str, Any] = {"chunk": chunk, "left": left, "right": right, "pause": pause}
    with terminal.speaking(as_json) as answer:
        heard = api.transcribe(
            model, sound, sets=sets or (), **{key: value for key, value in asked.items() if value is not None}
        )
        found = heard.whole() if as_json or out is not None else heard.whole(_tell)
        if out is not None:
            write_text(out, found.written(out.suffix.lower()))
        if as_json or out is not None:
            answer({**found.as_dict(), **({} if out is None else {"out": str(out)})}, _show)


def _tell(part: Partial) -> None:
    if part.text:
        sys.stdout.write(terminal.printable(part.text) + "\n")
        sys.stdout.flush()


def _show(screen: Console, found: Any) -> None:
    told = in_language("{:.1f} s, {:,} words", "{:.1f} 秒，{:,} 词").format(found["seconds"], len(found["times"]))
    terminal.line(screen, in_language("written", "已写入"), f"{found['out']} ({told})")
