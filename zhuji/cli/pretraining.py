"""`pretrain`, `corpus`, `tokenizer`: from texts without labels to a foundation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Sets
from zhuji.core.log import in_language
from zhuji.core.quantity import count_text, seconds_text

if TYPE_CHECKING:
    from rich.console import Console

Sources = Annotated[
    list[str], typer.Argument(metavar="CORPUS...", help="Text, CSV, JSONL or Parquet files, folders of them, or a built corpus.")
]
Columns = Annotated[list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column of tables. May be repeated.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="FILE[:SPLIT]", help="Texts that must not be in the corpus, e.g. reviews.csv:test."),
]
Start = Annotated[str | None, typer.Option("--from", metavar="BUNDLE|RUN|HF_FOLDER", help="Go on from this model.")]


def pretrain(  # noqa: PLR0917 - the options of a verb
    corpus: Sources,
    objective: Annotated[
        str | None, typer.Option("--objective", help="masked, next, replaced, contrast, triplet or distill-self.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="RECIPE|FILE.yaml", help="See `zhuji recipes`; default bert-mini.")
    ] = None,
    start: Start = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FOLDER", help="What `zhuji tokenizer` made, instead of a new one.")
    ] = None,
    text: Columns = None,
    without: Without = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the corpus.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the run.")] = None,
    run_dir: Annotated[Path | None, typer.Option("--run-dir", help="Folder of the run; runs/NNN-name by default.")] = None,
    as_json: Json = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every random stream; 0 by default.")] = None,
    sets: Sets = None,
) -> None:
    """Lay a foundation on texts without labels; `zhuji train DATA --from RUN` builds on it."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        result = api.pretrain(
            corpus, objective=objective, model=model, start=start, tokenizer=tokenizer, text=text or (),
            without=without or (), epochs=epochs, name=name, run_dir=run_dir, seed=seed, sets=sets or (),
        )  # fmt: skip
        answer(result.as_dict(), show)


def show(screen: Console, result: Any) -> None:
    """What a pretraining came to, for a person."""
    rows = [[metric, terminal.interval_text(score)] for metric, score in result["valid"].items()]
    terminal.table(screen, [in_language("held-out documents", "留出的文档"), in_language("95 % interval", "95 % 区间")], rows)
    for warning in result["warnings"]:
        terminal.line(screen, in_language("warning", "警告"), warning)
    cost = result["cost"]
    terminal.line(screen, in_language("seen", "已学"), in_language(
        f"{count_text(result['units'])} units in {seconds_text(result['seconds'])}: {cost['cpu_hours']:.2f} CPU-hours, "
        f"{count_text(cost['joules'])} J ({cost['joules_from']})",
        f"{seconds_text(result['seconds'])} 内 {count_text(result['units'])} 个单元：{cost['cpu_hours']:.2f} CPU 小时，"
        f"{count_text(cost['joules'])} 焦（「{cost['joules_from']}」）",
    ))  # fmt: skip
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(result["ledger"]))
    terminal.line(screen, in_language("run", "运行"), result["run"])
    screen.print(in_language("\nnext:", "\n接下来："))
    for command in result["next"]:
        screen.print(terminal.printable(f"  {command}"), soft_wrap=True)
