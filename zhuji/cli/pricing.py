"""`benchmark`: what a model costs on this machine in every format."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Id, Json, Label, Model, Seed, Sets, Target, Text, data_options
from zhuji.core.log import in_language
from zhuji.data.words import counted

if TYPE_CHECKING:
    from rich.console import Console


def benchmark(  # noqa: PLR0917 - the options of a verb
    model: Model,
    data: Annotated[Path | None, typer.Argument(help="Rows to ask and to score; without it a run's own test split.")] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT[,FORMAT]", help="Formats to price; all that can hold the model by default."),
    ] = None,
    text: Text = None,
    target: Target = None,
    label: Label = None,
    id_: Id = None,
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """Price a model in every format on this machine: size, time, memory and score."""
    from zhuji import api

    columns = data_options(text=text, target=target, label=label, id=id_)
    with terminal.speaking(as_json) as answer:
        names = [name.strip() for name in (to or "").split(",") if name.strip()]
        answer(api.benchmark(model, data, to=names, seed=seed, sets=sets or (), **columns).as_dict(), _show)


def _show(screen: Console, found: Any) -> None:
    from zhuji.core.quantity import bytes_text, seconds_text

    scored = next((of["score"] for of in found["formats"] if of["score"]), {})
    header = [
        in_language("format", "格式"), in_language("size", "大小"), in_language("opens", "打开"), "p50 / p95 ms",
        in_language("rows/s", "行/秒"), in_language("memory", "内存峰值"), str(scored.get("metric", "")),
        in_language("flips (gap)", "改变的回答（差距）"),
    ]  # fmt: skip
    rows = [
        [
            of["format"], bytes_text(of["bytes"]), seconds_text(of["load_seconds"]), f"{of['p50_ms']:.1f} / {of['p95_ms']:.1f}",
            f"{of['rows_per_second']:,.0f}", bytes_text(of["peak_mb"] * 2**20), terminal.interval_text(of["score"]) if of["score"] else "–",
            f"{of['hop']['flips']}/{of['hop']['rows']} ({of['hop']['gap']:.0e})",
        ]
        for of in sorted(found["formats"], key=lambda of: of["p50_ms"])
    ]  # fmt: skip
    terminal.table(screen, header, rows)
    terminal.lines(screen, found["skipped"].items())
    if found["dropped"]:
        terminal.line(screen, in_language("dropped rows", "丢弃的行"), counted(found["dropped"]))
    terminal.line(screen, in_language("machine", "机器"), ", ".join(found["machine"].values()))
    for file in found["files"]:
        terminal.line(screen, in_language("written", "已写入"), file)
    best = min(found["formats"], key=lambda of: of["p50_ms"], default=None)
    if best is not None:
        screen.print(in_language("next:", "接下来："))
        screen.print(terminal.printable(f"  zhuji export {shlex.quote(found['model'])} --to {best['format']}"), soft_wrap=True)
