"""`export`: a finished model in other formats."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Model, Sets, Unmoved
from zhuji.core.log import in_language

if TYPE_CHECKING:
    from rich.console import Console


def export(  # noqa: PLR0917 - the options of a verb
    model: Model,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="FORMAT[,FORMAT]", help="huggingface, onnx, onnx-int8, openvino, safetensors, torch-export."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for a folder of each format; RUN/export by default.")
    ] = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Write a model in other formats, each measured on its golden rows before it may be used."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        names = [name.strip() for name in to.split(",") if name.strip()]
        answer(api.export(model, names, out, sets=sets or ()).as_dict(), _show)


def _show(screen: Console, found: Any) -> None:
    from zhuji.core.quantity import bytes_text

    header = [
        in_language("hop", "环节"), in_language("golden rows", "黄金样例"), in_language("flips", "改变的回答"),
        in_language("largest gap", "最大差距"), in_language("limit", "限度"), in_language("size", "大小"),
    ]  # fmt: skip
    made = [(each["hop"], bytes_text(each["bytes"])) for each in found["formats"]]
    rows = [
        [hop["name"], str(hop["rows"]), str(hop["flips"]), f"{hop['gap']:.1e}", f"{hop['limit']:g}", size]
        for hop, size in [*((hop, "") for hop in found["earlier"] if hop["name"] not in {h["name"] for h, _ in made}), *made]
    ]
    terminal.table(screen, header, rows)
    screen.print(in_language("next:", "接下来："))
    files = {"pictures": "PICTURE.jpg", "sounds": "SOUND.wav"}
    text = files.get(found["reads"]) or shlex.quote(in_language("a text of yours", "你的一段文本"))
    for each in found["formats"]:
        folder = shlex.quote(each["folder"])
        client = Path(each["folder"]) / "client.py"
        screen.print(terminal.printable(f"  zhuji predict {folder} {text}"), soft_wrap=True)
        if client.is_file():
            screen.print(terminal.printable(f"  python {shlex.quote(str(client))} {text}"), soft_wrap=True)
