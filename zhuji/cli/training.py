"""`train`, `resume`: from a file to a model, and on from where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import (
    Group,
    Id,
    Json,
    Label,
    Leaks,
    MaxDropped,
    Sets,
    Split,
    Test,
    Text,
    Time,
    Valid,
    data_options,
)
from zhuji.core.log import in_language
from zhuji.data.words import counted

if TYPE_CHECKING:
    from rich.console import Console


def train(  # noqa: PLR0917 - the options of a verb
    data: Annotated[str | None, typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder of texts by class.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="RECIPE|FILE.yaml", help="See `zhuji recipes`; default bag.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file with settings of one's own.")] = None,
    task: Annotated[str | None, typer.Option("--task", help="classify or regress; found from the labels by default.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the training rows.")] = None,
    text: Text = None,
    label: Label = None,
    group: Group = None,
    time: Time = None,
    id_: Id = None,
    split: Split = None,
    valid: Valid = None,
    test: Test = None,
    leaks: Leaks = None,
    max_dropped: MaxDropped = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the run.")] = None,
    run_dir: Annotated[Path | None, typer.Option("--run-dir", help="Folder of the run; runs/NNN-name by default.")] = None,
    as_json: Json = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every random stream; 0 by default.")] = None,
    sets: Sets = None,
) -> None:
    """Train, test, save and report: the folder that is left is enough for everything after."""
    from zhuji import api

    columns = data_options(
        text=text,
        label=label,
        group=group,
        time=time,
        id=id_,
        split=split,
        valid=valid,
        test=test,
        leaks=leaks,
        max_dropped=max_dropped,
    )
    with terminal.speaking(as_json) as answer:
        result = api.train(
            data,
            model=model,
            config=config,
            task=task,
            epochs=epochs,
            name=name,
            run_dir=run_dir,
            seed=seed,
            sets=sets or (),
            **columns,
        )
        answer(result.as_dict(), _show)


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run that was stopped.")],
    as_json: Json = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Must be the run's own.")] = None,
    sets: Sets = None,
) -> None:
    """Go on with a run that was stopped; it ends as if it never had been. Settings that differ from the run's are refused."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        answer(api.resume(run, seed=seed, sets=sets or ()).as_dict(), _show)


def _show(screen: Console, result: Any) -> None:
    from zhuji import api

    test, rivals = result["test"], result["baselines"]
    metrics = list(test)[:3]
    if metrics:
        first = metrics[0]
        text = in_language("test {} {} (95 % interval)", "测试集 {} {}（95 % 区间）").format(
            first, terminal.interval_text(test[first])
        )
        screen.print(f"\n{text}", style="bold")
        mine = in_language("this model", "本模型")
        rows = [
            [n, *(terminal.interval_text(s[m]) if m in s else "–" for m in metrics)] for n, s in [(mine, test), *rivals.items()]
        ]
        terminal.table(screen, [in_language("model", "模型"), *metrics], rows)
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(result["ledger"]))
    terminal.line(screen, in_language("leaks", "泄漏"), _leaks_text(result["leaks"]))
    terminal.line(screen, in_language("run", "运行"), result["run"])
    terminal.line(screen, in_language("report", "报告"), result["report"])
    screen.print(in_language("\nnext:", "\n接下来："))
    for command in api.next_commands(Path(result["run"])):
        screen.print(terminal.printable(f"  {command}"), soft_wrap=True)


def _leaks_text(leaks: Any) -> str:
    found = counted(leaks.get("found", {}))
    if not found:
        return in_language("none found", "未发现")
    done = {"move": in_language("moved into one split", "已移入同一划分"), "allow": in_language("kept, as asked", "按要求保留")}
    kept = leaks.get("kept", 0) if leaks.get("action") == "move" else 0
    large = (
        in_language(f", but for {kept:,} rows of groups too large to move", f"，但 {kept:,} 行所在分组过大，未移动")
        if kept
        else ""
    )
    return f"{found}: {done.get(leaks.get('action', 'move'), '')}{large}"
